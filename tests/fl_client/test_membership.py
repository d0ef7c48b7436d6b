"""A device's commands against a real API in a process of its own."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from api.database import connect_database, migrate_database
from api.keys import load_keys, make_keys
from api.process import running_api
from fl_client.__main__ import main
from fl_client.certificate_renewal import RENEWED_BEFORE_SECONDS, keep_certificate
from fl_client.membership import keys_folder, load_membership
from fl_client.training_keys import load_training_keys
from models.domain.consent import Purpose
from models.domain.order import admitted_nodes, parse_order
from models.privacy.secure_aggregation.identity import LIFETIME_SECONDS, is_certified
from models.record import read_records

Run = Callable[..., Any]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("api")


@pytest.fixture(scope="module")
def url(place: Path) -> Iterator[str]:
    make_keys(place / "keys")
    (place / "registry").mkdir()
    migrate_database(connect_database(f"sqlite:///{place}/api.db"))
    with running_api(f"sqlite:///{place}/api.db", place / "registry", place / "keys", place / "log") as url:
        yield url


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    def run_command(command: str, *options: str, code: int = 0) -> Any:
        assert main([command, "--home", str(tmp_path / "home"), *options]) == code
        out = capsys.readouterr().out
        return json.loads(out) if out else None

    return run_command


def admitted(place: Path) -> int:
    records = read_records(place / "registry" / "orders")
    return len(admitted_nodes({name: parse_order(record) for name, record in records.items()}))


def test_a_device_enrolls_consents_looks_and_withdraws(url: str, place: Path, run: Run, tmp_path: Path) -> None:
    enrolled = run("enroll", "--api", url, "--json")
    run("enroll", "--api", url, code=2)
    assert [held["given"] for held in run("status")["consents"]] == [False, False, False]
    assert run("consent", "--purpose", "training", "--agree", "2026-12")["given"]
    assert admitted(place) == 1
    status = run("status")
    assert status["device_id"] == enrolled["device_id"]
    assert [held["purpose"] for held in status["consents"] if held["given"]] == [Purpose.TRAINING]
    receipt = run("withdraw", "--purpose", "training")
    assert (receipt["keys_destroyed"], receipt["node_removal_ordered"]) == (True, True)
    assert admitted(place) == 0
    run("consent", "--purpose", "training", "--agree", "2026-12")
    assert admitted(place) == 1


def ends_in(home: Path, seconds: float) -> None:
    """Let the certificate that a device holds end so soon. Its signature breaks, which only others would see."""
    held = load_membership(home).credentials.certificate
    assert held is not None
    keep_certificate(home, int(time.time() + seconds).to_bytes(8) + held[8:])


def is_certified_for(home: Path, authority: bytes, seconds: float) -> bool:
    """Say whether the key in a device's folder is certified for so long from now."""
    certificate = load_membership(home).credentials.certificate
    identity = load_training_keys(keys_folder(home)).public.identity_key
    return certificate is not None and is_certified(authority, identity, certificate, time.time() + seconds)


@pytest.fixture
def authority(place: Path, url: str) -> bytes:
    return load_keys(place / "keys").authority.public_key().public_bytes_raw()


@pytest.mark.parametrize(
    "left", [RENEWED_BEFORE_SECONDS - 60, -60, 2**61], ids=["ends soon", "has ended", "ends beyond all calendars"]
)
def test_a_device_renews_its_certificate_before_or_after_its_end(left, authority, url, run, tmp_path) -> None:
    home = tmp_path / "home"
    run("enroll", "--api", url)
    run("consent", "--purpose", "training", "--agree", "2026-12")
    ends_in(home, left)
    told = run("status")
    assert is_certified_for(home, authority, LIFETIME_SECONDS - 60)
    assert datetime.fromisoformat(told["certificate_ends"]).timestamp() > time.time() + LIFETIME_SECONDS - 60


def test_a_certificate_that_is_good_for_long_is_left_alone(url, run, tmp_path) -> None:
    home = tmp_path / "home"
    run("enroll", "--api", url)
    run("consent", "--purpose", "training", "--agree", "2026-12")
    ends_in(home, RENEWED_BEFORE_SECONDS + 60)
    before = load_membership(home)
    run("status")
    assert load_membership(home) == before


def test_a_certificate_that_ends_beyond_all_calendars_costs_no_command(url, run, tmp_path) -> None:
    home = tmp_path / "home"
    run("enroll", "--api", url)
    ends_in(home, 2**61)
    assert run("status")["certificate_ends"] is None


def test_without_the_consent_to_training_no_keys_are_brought_again(authority, url, run, place, tmp_path) -> None:
    home = tmp_path / "home"
    run("enroll", "--api", url)
    ends_in(home, 60)
    run("status")
    assert not is_certified_for(home, authority, 0)
    run("consent", "--purpose", "training", "--agree", "2026-12")
    assert is_certified_for(home, authority, LIFETIME_SECONDS - 60)
    run("withdraw", "--purpose", "training")
    assert run("status")["certificate_ends"] is None
    run("consent", "--purpose", "training", "--agree", "2026-12")
    assert is_certified_for(home, authority, LIFETIME_SECONDS - 60), "of the key made at the withdrawal"


def test_a_renewal_that_fails_costs_no_command(url, run, tmp_path, monkeypatch, capsys) -> None:
    home = tmp_path / "home"
    run("enroll", "--api", url)
    run("consent", "--purpose", "training", "--agree", "2026-12")
    ends_in(home, 60)
    (keys_folder(home) / "identity-key.pem").write_text("damaged")
    assert main(["status", "--home", str(home)]) == 0
    told = capsys.readouterr()
    assert json.loads(told.out)["consents"]
    assert "certificate couldn't be renewed: " in told.err
    assert "identity-key.pem: no key can be read here" in " ".join(told.err.split())


def test_the_text_is_shown_and_only_a_yes_is_one(
    url: str, run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run("enroll", "--api", url)
    monkeypatch.setattr("sys.stdin", io.StringIO())  # nobody there to answer
    assert run("consent", "--purpose", "statistics", code=4) is None
    monkeypatch.setattr("builtins.input", lambda *_: "")
    assert run("consent", "--purpose", "statistics", code=4) is None
    monkeypatch.setattr("builtins.input", lambda *_: "예")
    assert run("consent", "--purpose", "statistics")["given"]


def test_agreeing_to_an_older_text_or_without_a_guardian_is_refused(url: str, run: Run) -> None:
    run("enroll", "--api", url)
    run("consent", "--purpose", "training", "--agree", "2026-11", code=2)
    run("consent", "--purpose", "detection", "--agree", "2026-11", "--guardian-record", "0" * 32, code=4)
    assert [held["given"] for held in run("status")["consents"]] == [False, False, False]


def test_what_a_device_keeps_is_for_its_owner_only(url: str, run: Run, tmp_path: Path) -> None:
    run("status", code=2)
    run("enroll", "--api", url)
    home = tmp_path / "home"
    kept = [path for path in home.rglob("*") if path.is_file()]
    assert len(kept) == 3
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in kept)
    assert repr(load_membership(home).credentials.secret) not in repr(load_membership(home))
    (home / "enrolment.json").chmod(0o644)
    run("status", code=4)
    (home / "enrolment.json").chmod(0o600)
    kept_well = (home / "enrolment.json").read_bytes()
    (home / "enrolment.json").write_text("{")
    run("status", code=3)
    (home / "enrolment.json").write_bytes(kept_well)
    run("leave")
    assert not any(path.is_file() for path in home.rglob("*"))
    run("status", code=2)


def test_what_speaks_with_the_api_is_loaded_by_those_who_do_only() -> None:
    looking = "import sys, fl_client.__main__; print({'httpx', 'pydantic', 'tuf'} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", looking], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "set()"
