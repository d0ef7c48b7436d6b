from __future__ import annotations

import os
import stat
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from fl_server.registry import (
    Registry,
    append_round,
    create_registry,
    open_registry,
    read_rounds,
    sole_writer,
)
from models.domain.round import ReplyFate, RoundReport
from models.errors import RecordExistsError, RefusedError, RegistryError
from models.record import append_record, read_records


def round_report(number: int) -> RoundReport:
    return RoundReport(
        number=number,
        asked=10,
        fates={ReplyFate.FOLDED: 8, ReplyFate.NO_REPLY: 2},
        epsilon=0.5,
        acceptance_f1=0.9,
        acceptance_loss=0.3,
        acceptance_loss_error=0.02,
        seconds=1.5,
    )


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return create_registry(tmp_path / "registry")


def test_a_registry_has_its_five_folders_and_can_be_made_twice(registry: Registry) -> None:
    create_registry(registry.root)
    assert open_registry(registry.root) == registry
    folders = sorted(path.name for path in registry.root.iterdir())
    assert folders == ["metadata", "orders", "outcomes", "rounds", "targets"]


def test_something_else_is_not_a_registry(tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match="not a registry"):
        open_registry(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(RegistryError, match="no registry can be made"):
        create_registry(tmp_path / "file")


def test_round_reports_come_back_as_they_were_in_the_order_of_rounds(registry: Registry) -> None:
    reports = [round_report(number) for number in (10, 2, 1)]
    for report in reports:
        append_round(registry, report)
    assert read_rounds(registry) == sorted(reports, key=lambda report: report.number)
    assert all(isinstance(fate, ReplyFate) for report in read_rounds(registry) for fate in report.fates)


def test_a_registry_without_rounds_has_no_reports(registry: Registry) -> None:
    assert read_rounds(registry) == []


def test_a_round_is_never_reported_otherwise_afterwards(registry: Registry) -> None:
    append_round(registry, round_report(1))
    append_round(registry, round_report(1))
    with pytest.raises(RecordExistsError):
        append_round(registry, replace(round_report(1), acceptance_f1=0.99))
    assert read_rounds(registry) == [round_report(1)]


def test_a_report_that_was_half_written_is_never_seen(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    def break_off(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", break_off)
    with pytest.raises(RegistryError, match="No space"):
        append_round(registry, round_report(1))
    assert list(registry.rounds.iterdir()) == []
    (registry.rounds / ".draft-left-by-a-kill").write_text('{"number": 1')
    assert read_rounds(registry) == []


def test_a_report_that_is_being_written_is_not_seen_yet(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    real, seen = os.link, []

    def link(draft: Path, path: Path) -> None:
        seen.append([path.name for path in registry.rounds.glob("*.json")] + list(read_records(registry.rounds)))
        real(draft, path)

    monkeypatch.setattr(os, "link", link)
    append_round(registry, round_report(1))
    assert seen == [[]]


def test_of_many_writers_of_one_record_exactly_one_wins(registry: Registry) -> None:
    won: list[int] = []

    def write(number: int) -> None:
        try:
            append_record(registry.outcomes, "order", {"writer": number})
            won.append(number)
        except RecordExistsError:
            pass

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert read_records(registry.outcomes) == {"order": {"writer": won[0]}}


@pytest.mark.parametrize("name", ["../x", "a/b", "", ".hidden", "UPPER", "a b"])
def test_a_records_name_cant_lead_out_of_its_folder(registry: Registry, name: str) -> None:
    with pytest.raises(RegistryError):
        append_record(registry.orders, name, {})


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'"text"', b"\xff", b"{}", b'{"number": 1}'])
def test_a_damaged_report_is_named(registry: Registry, content: bytes) -> None:
    (registry.rounds / "000001.json").write_bytes(content)
    with pytest.raises(RegistryError, match="000001"):
        read_rounds(registry)


def test_a_figure_that_isnt_a_number_is_never_written(registry: Registry) -> None:
    with pytest.raises(RegistryError, match="finite"):
        append_round(registry, replace(round_report(1), acceptance_loss=float("nan")))
    assert read_rounds(registry) == []


def test_what_is_published_can_be_read_by_the_api(registry: Registry) -> None:
    append_round(registry, round_report(1))
    assert stat.S_IMODE(os.stat(registry.rounds / "000001.json").st_mode) == 0o644


def test_only_one_writer_holds_the_registry(registry: Registry) -> None:
    with sole_writer(registry), pytest.raises(RefusedError, match="another process"), sole_writer(registry):
        pass
    with sole_writer(registry):
        pass


def test_reports_hold_what_the_domain_says(registry: Registry) -> None:
    append_round(registry, round_report(1))
    (record,) = read_records(registry.rounds).values()
    assert set(record) == set(RoundReport.__dataclass_fields__)
