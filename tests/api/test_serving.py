"""The real program: processes, ports, TLS, signals."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from api.__main__ import main
from api.certificate import make_certificate
from api.database import newest_revision
from api.process import running_api
from fl_client.api_client import ApiClient
from fl_client.api_connection import open_connection
from fl_client.report_book import Report, ReportBook, turn_of
from fl_client.request_signing import Credentials
from fl_client.statistics import make_report
from models.domain.consent import Purpose
from models.domain.window import open_window
from models.errors import UnreachableError

ONE_QUESTION = "2026-11"
"""Version of the consent text under which every device answers the same question."""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a migrated database and keys."""
    return install(tmp_path_factory.mktemp("api"))


def install(folder: Path) -> Path:
    assert main(["migrate", *database(folder), "--keys", str(folder / "keys")]) == 0
    (folder / "registry").mkdir()
    return folder


@pytest.fixture(scope="module")
def url(installed: Path) -> Iterator[str]:
    with running_api(database(installed)[1], installed / "registry", installed / "keys", installed / "log") as url:
        yield url


def database(folder: Path) -> list[str]:
    return ["--database", f"sqlite:///{folder}/api.db"]


def serve(folder: Path, *options: str) -> list[str]:
    return [
        "serve",
        "--port",
        "0",
        "--registry",
        str(folder),
        "--keys",
        str(folder / "keys"),
        *database(folder),
        *options,
    ]


@pytest.mark.usefixtures("open_week")
def test_many_devices_at_once_are_all_answered(url: str, tmp_path: Path) -> None:
    window = open_window(datetime.now(UTC))
    with open_connection(url) as connection, ThreadPoolExecutor(16) as pool:
        texts = ApiClient(connection).consent_texts()
        wanted = next(text for text in texts if (text.purpose, text.language) == (Purpose.STATISTICS, "ko"))

        def take_part(number: int) -> str:
            device = ApiClient(connection, ApiClient(connection).enroll())
            device.give_consent(wanted)
            report = make_report(window, [], ONE_QUESTION, ReportBook(tmp_path / str(number), turn_of(window)))
            return device.send_report(report).window

        assert set(pool.map(take_part, range(60))) == {window.name}


@pytest.mark.usefixtures("open_week")
def test_the_operator_releases_early_while_the_api_runs(
    installed: Path, url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    test_many_devices_at_once_are_all_answered(url, tmp_path)
    assert main(["release-statistics", *database(installed)]) == 0
    assert json.loads(capsys.readouterr().out) == {"closed": []}
    assert main(["release-statistics", "--early", *database(installed)]) == 0
    closed = json.loads(capsys.readouterr().out)["closed"]
    assert closed[0]["state"] == "released"
    assert main(["release-statistics", "--early", *database(installed)]) == 4


def test_a_slow_or_broken_client_gets_an_answer_or_nothing_but_harms_nobody(url: str) -> None:
    host, port = url.removeprefix("http://").split(":")
    for garbage in (
        b"\x00\xff\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 10_000 + b"\r\n",
        b"POST / HTTP/1.1\r\n",
    ):
        with socket.create_connection((host, int(port)), timeout=60) as client, contextlib.suppress(ConnectionError):
            client.sendall(garbage)
            client.shutdown(socket.SHUT_WR)
            client.recv(100)
    assert httpx.get(f"{url}/healthz", trust_env=False).status_code == 200


def test_prometheus_on_this_machine_is_answered_and_a_proxy_is_not(url: str) -> None:
    answer = httpx.get(f"{url}/metrics", trust_env=False)
    assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (200, "text/plain")
    assert "hearsay_api_requests_total" in answer.text
    assert httpx.get(f"{url}/metrics", headers={"X-Forwarded-For": "127.0.0.1"}, trust_env=False).status_code == 404


def test_nothing_of_a_person_or_a_device_is_in_the_log(installed: Path, url: str) -> None:
    with open_connection(url) as connection:
        credentials = ApiClient(connection).enroll()
        ApiClient(connection, credentials).consents()
        connection.get("/v1/consents?call=canary")
    log = (installed / "log").read_text()
    assert credentials.device_id not in log
    assert "canary" not in log
    # The server's own address, and that somebody, nobody knows who, sent what is no HTTP.
    assert {line.partition(" http://")[0] for line in log.splitlines()} <= {
        "listening on",
        "WARNING uvicorn.error: Invalid HTTP request received.",
    }


@pytest.mark.parametrize(
    "end",
    [lambda api: api.stdin.close(), lambda api: api.send_signal(signal.SIGTERM)],
    ids=["its parent is killed", "its parent tells it to end"],
)
def test_the_api_of_another_process_ends_in_order_with_it_or_before(
    installed: Path, end: Callable[[subprocess.Popen[bytes]], None]
) -> None:
    command = [sys.executable, "-m", "api", *serve(installed, "--plain-http", "--stop-with-input")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        end(process)
        assert process.wait(120) == 0


def test_a_taken_port_is_one_line_and_exit_code_5(
    installed: Path, url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    port = url.rpartition(":")[2]
    assert main([*serve(installed, "--plain-http"), "--port", port]) == 5
    said = capsys.readouterr().err
    assert "in use" in said
    assert said.count("\n") == 1
    with (
        pytest.raises(UnreachableError, match="in use"),
        running_api(database(installed)[1], installed, installed / "keys", tmp_path / "log", int(port)),
    ):
        pass


def test_plain_http_is_refused_beyond_loopback(installed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(serve(installed, "--plain-http", "--host", "0.0.0.0")) == 4
    assert "loopback" in capsys.readouterr().err
    assert main(serve(installed)) == 2
    assert main(serve(installed, "--plain-http", "--tls-cert", "x", "--tls-key", "y")) == 2
    assert main(serve(installed, "--tls-cert", "x")) == 2
    assert main(serve(installed, "--tls-cert", "x", "--tls-key", "y")) == 3


def test_it_refuses_to_start_without_keys_or_with_open_ones(
    installed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for damage, code, said in (
        (lambda path: path.unlink(), 3, "migrate"),
        (lambda path: path.chmod(0o644), 4, "chmod 600"),
        (lambda path: path.write_text("{"), 3, "damaged"),
        (lambda path: path.write_text('{"current": "a", "keys": {"a": "AAAA"}}'), 3, "size"),
    ):
        keys = tmp_path / said.replace(" ", "")
        assert main(["migrate", *database(installed), "--keys", str(keys)]) == 0
        damage(keys / "encryption-keys.json")
        assert main([*serve(installed, "--plain-http"), "--keys", str(keys)]) == code
        assert said in capsys.readouterr().err


def test_it_refuses_to_start_on_a_database_that_is_behind(installed: Path, tmp_path: Path) -> None:
    sqlite3.connect(tmp_path / "api.db").close()
    assert main([*serve(tmp_path, "--plain-http"), "--keys", str(installed / "keys")]) == 3


def test_migrating_again_changes_neither_tables_nor_keys(installed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = {path.name: path.read_bytes() for path in (installed / "keys").iterdir()}
    assert main(["migrate", *database(installed), "--keys", str(installed / "keys")]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["revision"], said["keys_made"]) == (newest_revision(), [])
    assert len(bytes.fromhex(said["enrolment_authority"])) == 32
    assert before == {path.name: path.read_bytes() for path in (installed / "keys").iterdir()}
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in (installed / "keys").iterdir())


def test_it_speaks_tls_and_the_client_checks_the_certificate(installed: Path, tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path, "localhost")
    command = [sys.executable, "-m", "api", *serve(installed, "--host", "localhost")]
    command += ["--tls-cert", str(certificate), "--tls-key", str(key)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=dict(os.environ))
    try:
        assert process.stdout is not None
        address = json.loads(process.stdout.readline())["url"]
        assert address.startswith("https://localhost:")
        with open_connection(address, ca_file=certificate) as connection:
            device = ApiClient(connection, ApiClient(connection).enroll())
            assert len(device.consents()) == 3
        with open_connection(address) as connection, pytest.raises(UnreachableError, match="--ca-file"):
            ApiClient(connection).enroll()
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(120) == 0
        process.stdout.close()  # type: ignore[union-attr]


def enrol(connection: httpx.Client) -> Credentials:
    return ApiClient(connection).enroll()


def enrol_and_report(connection: httpx.Client) -> Credentials:
    credentials = enrol(connection)
    device = ApiClient(connection, credentials)
    texts = device.consent_texts()
    device.give_consent(next(found for found in texts if found.purpose is Purpose.STATISTICS))
    device.send_report(Report(open_window(datetime.now(UTC)), "verdict", ("none",), epsilon=2.0))
    return credentials


@contextlib.contextmanager
def busy(
    installed: Path, act: Callable[[httpx.Client], Credentials]
) -> Iterator[tuple[subprocess.Popen[bytes], list[Credentials]]]:
    """Serve, and let devices act on four connections until the server is gone; yield whose acts it acknowledges."""
    command = [sys.executable, "-m", "api", *serve(installed, "--plain-http")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout is not None
    address = json.loads(process.stdout.readline())["url"]
    acknowledged: list[Credentials] = []
    with open_connection(address) as connection, ThreadPoolExecutor(4) as pool:

        def act_until_it_is_gone() -> None:
            with contextlib.suppress(UnreachableError):
                while True:
                    acknowledged.append(act(connection))

        running = [pool.submit(act_until_it_is_gone) for _ in range(4)]
        while len(acknowledged) <= 40 and not any(acting.done() for acting in running):
            os.sched_yield()
        try:
            yield process, acknowledged
        finally:
            process.kill()
            for acting in running:
                acting.result()
    process.stdout.close()


def devices_in(folder: Path, column: str = "id FROM devices") -> set[str]:
    with contextlib.closing(sqlite3.connect(folder / "api.db")) as connection:
        return {row[0] for row in connection.execute(f"SELECT {column}")}


@pytest.mark.usefixtures("open_week")
@pytest.mark.parametrize(("act", "stored"), [(enrol, "id FROM devices"), (enrol_and_report, "device_id FROM reports")])
def test_killed_in_the_middle_nothing_that_was_acknowledged_is_lost(
    tmp_path: Path, act: Callable[[httpx.Client], Credentials], stored: str
) -> None:
    installed = install(tmp_path)  # the others' may have closed the window that these devices report on
    with busy(installed, act) as (process, acknowledged):
        process.kill()
        process.wait(120)
    assert {found.device_id for found in acknowledged} <= devices_in(installed, stored)
    assert main(["audit", *database(installed)]) == 0


def test_told_to_end_in_the_middle_it_answers_what_it_began_and_loses_nothing(installed: Path) -> None:
    before = devices_in(installed)
    with busy(installed, enrol) as (process, acknowledged):
        process.send_signal(signal.SIGTERM)
        assert process.wait(120) == 0
    # What was stored was acknowledged, and the other way round: no request was cut off.
    assert devices_in(installed) - before == {found.device_id for found in acknowledged}
    assert main(["audit", *database(installed)]) == 0


def test_a_self_made_certificate_is_for_one_host_and_its_key_for_its_owner(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["make-certificate", "--out", str(tmp_path), "--host"]
    assert main([*options, "127.0.0.1"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert [Path(made[name]).stat().st_mode & 0o777 for name in ("certificate", "key")] == [0o644, 0o600]
    kept = Path(made["certificate"]).read_bytes()
    assert main([*options, "api.example.org"]) == 4
    assert Path(made["certificate"]).read_bytes() == kept
    assert main(["make-certificate", "--out", str(tmp_path / "other"), "--host", "no host" * 40]) == 2
    assert main(["make-certificate", "--out", f"{made['key']}/x", "--host", "localhost"]) == 3


def test_a_registry_that_is_not_there_stops_the_start(installed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*serve(installed, "--plain-http"), "--registry", str(installed / "absent")]) == 3
    said = capsys.readouterr().err
    assert "make it (mkdir)" in said
    assert said.count("\n") == 1


def test_a_tls_key_that_others_can_read_is_not_served_with(
    installed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    certificate, key = make_certificate(tmp_path, "127.0.0.1")
    key.chmod(0o640)
    assert main([*serve(installed), "--tls-cert", str(certificate), "--tls-key", str(key)]) == 4
    assert "chmod 600" in capsys.readouterr().err
