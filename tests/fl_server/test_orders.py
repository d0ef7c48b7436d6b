"""Orders are carried out once each, whatever happens in the middle, and what can't be done says why."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from fl_client.releases import trust_root, update_release
from fl_server.__main__ import main
from fl_server.orders import carry_out_orders, rounds_paused
from fl_server.registry import Registry, open_registry, sole_writer
from fl_server.release.publishing import read_releases, set_rollout
from fl_server.release.targets import PublishedRelease
from models.domain.order import (
    Order,
    OrderState,
    Outcome,
    PauseRounds,
    Refusal,
    RegisterNode,
    RemoveNode,
    ResumeRounds,
    RollBack,
    SetRollout,
    order_record,
    parse_outcome,
)
from models.domain.release import releases_digest
from models.errors import FolderInUseError, RefusedError
from models.folder_lock import locked_folder
from models.record import append_record, read_records
from tests.fl_server.killed_orders import die_after
from tests.killing import KILLED, exit_code_of
from tests.release_server import Publisher, serving


@pytest.fixture
def publisher(tmp_path: Path) -> Publisher:
    made = Publisher(tmp_path / "server")
    made.publish(1)
    made.publish(2, 10)
    return made


def seen(publisher: Publisher) -> str:
    """What names the releases as they are now."""
    return releases_digest({release.version: release.rollout_percent for release in releases(publisher)})


def releases(publisher: Publisher) -> list[PublishedRelease]:
    return read_releases(publisher.registry, publisher.online)


def place(publisher: Publisher, name: str, order: Order) -> None:
    append_record(publisher.registry.orders, name, order_record(order))


def carry_out(publisher: Publisher) -> dict[str, Outcome]:
    carried = carry_out_orders(publisher.registry, publisher.online)
    return {each.name: replace(each.outcome, at=0) for each in carried}


def outcomes(registry: Registry) -> dict[str, Outcome]:
    return {name: parse_outcome(record) for name, record in read_records(registry.outcomes).items()}


def offered(publisher: Publisher) -> dict[int, int]:
    return {release.version: release.rollout_percent for release in releases(publisher)}


def test_a_rollout_is_signed_as_it_was_ordered(publisher: Publisher) -> None:
    place(publisher, "1", SetRollout(2, 55, seen(publisher)))
    assert carry_out(publisher) == {"1": Outcome(OrderState.DONE, 0, version=2)}
    assert offered(publisher) == {1: 100, 2: 55}
    assert carry_out(publisher) == {}


def test_a_rollback_is_the_old_files_under_a_new_version_and_a_device_gets_them(
    publisher: Publisher, tmp_path: Path
) -> None:
    device = tmp_path / "device"
    trust_root(device, publisher.root)
    set_rollout(publisher.registry, publisher.online, 2, 100)
    with serving(publisher.registry) as url:
        assert update_release(device, url, lambda _: None).installed.version == 2  # type: ignore[union-attr]
        place(publisher, "1", RollBack(1, 100, seen(publisher)))
        assert carry_out(publisher) == {"1": Outcome(OrderState.DONE, 0, version=3)}
        installed = update_release(device, url, lambda _: None).installed
    assert installed is not None
    assert installed.version == 3
    assert (installed.directory / "detector.json").read_bytes() == b"detector.json: weights 1"
    assert releases(publisher)[-1].files == releases(publisher)[0].files


def test_a_device_outside_the_share_that_was_ordered_keeps_what_it_has(publisher: Publisher, tmp_path: Path) -> None:
    place(publisher, "1", SetRollout(2, 50, seen(publisher)))
    carry_out(publisher)
    got: set[int] = set()
    with serving(publisher.registry) as url:
        for number in range(64):  # a coin each: they all fall alike once in 2**63 runs
            device = tmp_path / str(number)
            trust_root(device, publisher.root)
            installed = update_release(device, url, lambda _: None).installed
            assert installed is not None
            got.add(installed.version)
            if len(got) > 1:
                break
    assert got == {1, 2}


def test_orders_given_under_other_releases_are_refused(publisher: Publisher) -> None:
    place(publisher, "1", SetRollout(2, 100, seen(publisher)))
    place(publisher, "2", RollBack(1, 100, seen(publisher)))
    assert carry_out(publisher) == {
        "1": Outcome(OrderState.DONE, 0, version=2),
        "2": Outcome(OrderState.REFUSED, 0, Refusal.RELEASES_CHANGED),
    }
    assert offered(publisher) == {1: 100, 2: 100}


@pytest.mark.parametrize(("version", "percent"), [(7, 50), (0, 50), (1, 101), (1, -1)])
def test_what_cannot_be_done_is_refused(publisher: Publisher, version: int, percent: int) -> None:
    place(publisher, "1", SetRollout(version, percent, seen(publisher)))
    place(publisher, "2", RollBack(version, percent, seen(publisher)))
    assert set(carry_out(publisher).values()) == {Outcome(OrderState.REFUSED, 0, Refusal.IMPOSSIBLE)}
    assert offered(publisher) == {1: 100, 2: 10}


def test_what_is_no_order_is_refused_and_keeps_nothing_else_waiting(publisher: Publisher) -> None:
    append_record(publisher.registry.orders, "1", {"kind": "conjure"})
    append_record(publisher.registry.orders, "2", {"kind": "set-rollout", "version": "2"})
    place(publisher, "3", PauseRounds())
    assert [outcome.refusal for outcome in carry_out(publisher).values()] == [Refusal.NOT_UNDERSTOOD] * 2 + [None]


def test_rounds_pause_and_resume(publisher: Publisher) -> None:
    assert not rounds_paused(publisher.registry)
    for name, order in (("1", PauseRounds()), ("2", PauseRounds()), ("3", ResumeRounds()), ("4", ResumeRounds())):
        place(publisher, name, order)
        carry_out(publisher)
        assert rounds_paused(publisher.registry) == isinstance(order, PauseRounds)


def test_registrations_and_removals_are_recorded_also_without_any_release(tmp_path: Path) -> None:
    publisher = Publisher(tmp_path)
    place(publisher, "1", RegisterNode("key"))
    place(publisher, "2", RemoveNode("1"))
    assert carry_out(publisher) == {name: Outcome(OrderState.DONE, 0) for name in ("1", "2")}


def test_two_processes_never_carry_out_at_once(publisher: Publisher) -> None:
    place(publisher, "1", PauseRounds())
    with locked_folder(publisher.registry.outcomes), pytest.raises(FolderInUseError):
        carry_out(publisher)


def test_an_order_that_cannot_be_done_now_goes_on_waiting(publisher: Publisher) -> None:
    place(publisher, "1", SetRollout(2, 50, seen(publisher)))
    with sole_writer(publisher.registry), pytest.raises(RefusedError, match="another process"):
        carry_out(publisher)
    assert outcomes(publisher.registry) == {}
    assert carry_out(publisher) == {"1": Outcome(OrderState.DONE, 0, version=2)}


def test_a_release_published_between_the_kill_and_the_next_try_doesnt_undo_what_was_done(publisher: Publisher) -> None:
    place(publisher, "1", RollBack(1, 100, seen(publisher)))
    carry_out(publisher)
    (publisher.registry.outcomes / "1.json").unlink()  # as if killed before it was written
    publisher.publish(4, 5)
    assert carry_out(publisher) == {"1": Outcome(OrderState.DONE, 0, version=3)}
    assert offered(publisher) == {1: 100, 2: 10, 3: 100, 4: 5}


def place_one_of_each(publisher: Publisher) -> None:
    place(publisher, "1", PauseRounds())
    place(publisher, "2", RollBack(1, 100, seen(publisher)))
    after = releases_digest({1: 100, 2: 10, 3: 100})
    place(publisher, "3", SetRollout(3, 40, after))
    place(publisher, "4", RollBack(2, 100, after))
    place(publisher, "5", ResumeRounds())


def test_killed_before_any_write_the_next_try_ends_as_if_nothing_had_happened(
    publisher: Publisher, tmp_path: Path
) -> None:
    place_one_of_each(publisher)
    sound = tmp_path / "sound"
    shutil.copytree(publisher.folder, sound)
    assert exit_code_of(die_after, sound, 10_000) == 0
    wanted = state_of(publisher, sound)
    assert [outcome.state for outcome in wanted[1].values()] == ["done", "done", "done", "refused", "done"]
    kills = 0
    while True:
        folder = tmp_path / f"killed-{kills}"
        shutil.copytree(publisher.folder, folder)
        code = exit_code_of(die_after, folder, kills)
        if code == 0:
            break
        assert code == KILLED
        again = list(carry_out_orders(open_registry(folder / "registry"), publisher.online))
        assert again or kills > 0
        assert state_of(publisher, folder) == wanted, f"killed before write {kills}"
        shutil.rmtree(folder)
        kills += 2  # a file, and then its folder
    assert kills > 30


def state_of(publisher: Publisher, folder: Path) -> tuple[list[PublishedRelease], dict[str, Outcome], bool, int]:
    registry = open_registry(folder / "registry")
    versions = len(list(registry.metadata.glob("*.releases.json")))
    told = {name: replace(outcome, at=0) for name, outcome in outcomes(registry).items()}
    return read_releases(registry, publisher.online), told, rounds_paused(registry), versions


def test_the_command_says_what_it_did_and_keeps_signatures_alive(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    publisher = Publisher(tmp_path / "server", now=datetime.now(UTC) - timedelta(days=2))
    publisher.publish(1)
    place(publisher, "1", SetRollout(1, 50, seen(publisher)))
    options = ["orders", "--registry", str(publisher.registry.root), "--keys", str(publisher.folder / "online")]
    assert main(options) == 0
    done = [{"order": "1", "state": "done", "refusal": None, "version": 1}]
    assert json.loads(capsys.readouterr().out) == {"orders": done, "renewed": []}  # the order signed them anew
    publisher = Publisher(tmp_path / "old", now=datetime.now(UTC) - timedelta(days=2))
    options = ["orders", "--registry", str(publisher.registry.root), "--keys", str(publisher.folder / "online")]
    assert main(options) == 0
    assert json.loads(capsys.readouterr().out) == {"orders": [], "renewed": ["timestamp"]}


def test_the_command_goes_on_looking_also_after_a_look_that_failed(publisher: Publisher) -> None:
    command = [
        sys.executable,
        "-m",
        "fl_server",
        "orders",
        "--registry",
        str(publisher.registry.root),
        "--every",
        "0.05",
    ]
    command += ["--keys", str(publisher.folder / "online")]
    damaged = publisher.registry.orders / "1.json"
    damaged.write_text("{")
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        assert process.stdout is not None
        assert b"1.json" in process.stderr.readline()
        damaged.unlink()
        for name, order in (("2", PauseRounds()), ("3", ResumeRounds())):
            place(publisher, name, order)
            assert json.loads(process.stdout.readline())["orders"][0]["order"] == name
        process.terminate()


def test_the_command_refuses_what_it_cannot_use(
    publisher: Publisher, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    registry, keys = str(publisher.registry.root), str(publisher.folder / "online")
    assert main(["orders", "--registry", str(tmp_path), "--keys", keys]) == 3
    assert main(["orders", "--registry", registry, "--keys", str(publisher.folder / "offline")]) == 3
    assert main(["orders", "--registry", registry, "--keys", keys, "--every", "0"]) == 2
    (publisher.registry.orders / "1.json").write_text("{")
    assert main(["orders", "--registry", registry, "--keys", keys]) == 3
    said = capsys.readouterr().err
    assert said.count("\n") == 4
    assert "1.json" in said
