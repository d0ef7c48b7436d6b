"""What clients, disks and deployments do wrong: each gets a clear answer, and nothing that was acknowledged is lost."""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from sqlalchemy import create_engine, event, text
from uvicorn.server import ServerState

from api import database, http_protocol, limits
from api.__main__ import main
from api.database import _alembic_config, connect_database, migrate_database, transaction
from api.http_protocol import BoundedProtocol
from api.serving import configuration
from api.settings import Binding
from fl_client.report_book import Report
from models.domain.consent import Purpose
from models.domain.window import open_window
from models.errors import UnreachableError
from tests.api.conftest import Api
from tests.api.people import operator, problem
from tests.api.test_endpoints import DEVICE, ENDPOINTS, OPERATOR, PERSON, STATISTICS

HEAD = b"POST /v1/devices HTTP/1.1\r\nHost: localhost\r\n"


def converse(api: Api, sent: bytes) -> tuple[int, dict[str, Any]]:
    """Send bytes over a real connection and return the answer after which the server hangs up."""

    async def talk() -> bytes:
        config = configuration(api.app, Binding("127.0.0.1", 0, None))
        config.load()
        listening = await asyncio.get_running_loop().create_server(
            lambda: BoundedProtocol(config, ServerState(), {}), "127.0.0.1", 0
        )
        async with listening:
            reader, writer = await asyncio.open_connection(*listening.sockets[0].getsockname())
            writer.write(sent)
            answer = await reader.read()
            writer.close()
            return answer

    head, _, body = asyncio.run(talk()).partition(b"\r\n\r\n")
    assert b"content-type: application/problem+json" in head
    return int(head.split()[1]), json.loads(body)


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"\x00\xff\r\n\r\n", 400),
        (HEAD + b"A: b\r\n" * 10_000 + b"\r\n", 400),
        (HEAD + b"A: " + b"b" * limits.LARGEST_HEADERS + b"\r\n\r\n", 400),
        (HEAD + b"A: \x00\r\n\r\n", 400),
        (HEAD + b"Content-Length: 10\r\nContent-Length: 11\r\n\r\n", 400),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\nno length\r\n", 400),
        (HEAD, 408),
        (HEAD + b"Content-Length: 10\r\n\r\n{", 408),
        (b"", 408),
    ],
)
def test_what_is_no_request_or_comes_too_slowly_is_told_so(
    sqlite_api: Api, sent: bytes, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    if status == 408:  # what does come is given its time, on a busy machine too
        monkeypatch.setattr(http_protocol, "HEAD_SECONDS", 0.2)
        monkeypatch.setattr(limits, "BODY_SECONDS", 0.2)
    answered, document = converse(sqlite_api, sent)
    assert answered == document["status"] == status
    assert document["type"] == ("/problems/malformed-request" if status == 400 else "/problems/request-too-slow")
    assert "expected" in document["detail"]


@pytest.mark.parametrize(
    ("framing", "status"),
    [
        (b"Content-Length: 99999999999\r\n", 413),
        (b"Content-Length: 16385\r\n", 413),
        (b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", 400),
        (b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", 400),
    ],
)
def test_a_body_that_is_announced_too_large_or_in_two_ways_is_refused_before_it_comes(
    sqlite_api: Api, framing: bytes, status: int
) -> None:
    answered, document = converse(sqlite_api, HEAD + framing + b"\r\n")
    assert answered == document["status"] == status


def test_a_second_request_has_to_arrive_in_time_too(sqlite_api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    async def talk() -> tuple[bytes, bytes]:
        config = configuration(sqlite_api.app, Binding("127.0.0.1", 0, None))
        config.load()
        listening = await asyncio.get_running_loop().create_server(
            lambda: BoundedProtocol(config, ServerState(), {}), "127.0.0.1", 0
        )
        async with listening:
            reader, writer = await asyncio.open_connection(*listening.sockets[0].getsockname())
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            first = await reader.readuntil(b'{"status":"ok"}')
            monkeypatch.setattr(http_protocol, "HEAD_SECONDS", 0.2)
            writer.write(b"GET /healthz HTTP/1.1\r\n")
            second = await reader.read()
            writer.close()
            return first, second

    first, second = asyncio.run(talk())
    assert first.startswith(b"HTTP/1.1 200")
    assert second.startswith(b"HTTP/1.1 408")


@pytest.mark.parametrize("value", ["%00", "a%00b", "%ff%fe", "x" * 5000])
def test_a_name_that_is_none_is_refused_on_every_database(api: Api, value: str) -> None:
    device, person = api.enrolled(*Purpose)._signature, f"Bearer {operator(api).access}"
    for endpoint in ENDPOINTS:
        if "{" not in endpoint.path:
            continue
        signature = device if endpoint.needs in (DEVICE, STATISTICS) else None
        headers = {"Authorization": person} if endpoint.needs in (PERSON, OPERATOR) else {}
        path = endpoint.path.partition("{")[0] + value
        answer = api.connection.request(endpoint.method, path, auth=signature, headers=headers)
        assert answer.status_code in (404, 422), str(endpoint)
        assert answer.json()["status"] == answer.status_code


def report_of(api: Api) -> Report:
    return Report(open_window(api.clock.now), "verdict", ("none",), 2.0)


def test_a_locked_database_takes_nothing_and_the_same_report_is_taken_later(
    make_api: Callable[[str], Api], migrated_sqlite: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "BUSY_MILLISECONDS", 500)
    api = make_api(migrated_sqlite)
    device = api.enrolled(Purpose.STATISTICS)
    before = api.count("reports"), api.count("nonces")
    with contextlib.closing(sqlite3.connect(migrated_sqlite.removeprefix("sqlite:///"))) as other:
        other.execute("BEGIN IMMEDIATE")
        answer = api.connection.post("/v1/devices")
        assert problem(answer) == (503, "database-unavailable")
        assert answer.headers["retry-after"] == "5"
        with pytest.raises(UnreachableError, match="try again later"):
            device.send_report(report_of(api))
        assert api.connection.get("/readyz").status_code == 200
    assert (api.count("reports"), api.count("nonces")) == before
    assert device.send_report(report_of(api)).window == open_window(api.clock.now).name
    assert api.count("reports") == before[0] + 1


def test_a_database_file_that_is_gone_takes_nothing_and_is_used_again_once_it_is_back(
    make_api: Callable[[str], Api], tmp_path: Path
) -> None:
    url, file, away = f"sqlite:///{tmp_path}/gone.db", tmp_path / "gone.db", tmp_path / "away.db"
    migrate_database(connect_database(url))
    api = make_api(url)
    device = api.enrolled(Purpose.STATISTICS)
    api.engine.dispose()  # a log of its own would be left behind
    assert api.connection.get("/readyz").status_code == 200
    file.rename(away)
    assert problem(api.connection.post("/v1/devices")) == (503, "database-unavailable")
    assert problem(api.connection.get("/readyz")) == (503, "not-ready")
    assert "api migrate" in api.connection.get("/readyz").text
    with pytest.raises(UnreachableError):
        device.send_report(report_of(api))
    assert not file.exists()
    away.rename(file)
    assert device.send_report(report_of(api)).window == open_window(api.clock.now).name


def test_a_full_disk_takes_nothing_and_what_was_acknowledged_is_there(
    make_api: Callable[[str], Api], tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path}/full.db"
    migrate_database(connect_database(url))
    api = make_api(url)

    def fill(connection: sqlite3.Connection, _: object) -> None:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages + 2}")

    api.engine.dispose()
    event.listen(api.engine, "connect", fill)
    answers = [api.connection.post("/v1/devices") for _ in range(200)]
    acknowledged = {answer.json()["device_id"] for answer in answers if answer.status_code == 201}
    assert {problem(answer) for answer in answers if answer.status_code != 201} == {(503, "database-unavailable")}
    event.remove(api.engine, "connect", fill)
    api.engine.dispose()
    assert api.connection.post("/v1/devices").status_code == 201
    with api.engine.connect() as connection:
        stored = set(connection.execute(text("SELECT id FROM devices")).scalars())
    assert acknowledged < stored
    assert len(stored) == len(acknowledged) + 1
    assert main(["audit", "--database", url]) == 0


def test_a_postgresql_that_was_restarted_is_asked_anew(
    make_api: Callable[[str], Api], migrated_postgresql: str
) -> None:
    api = make_api(migrated_postgresql)
    device = api.enrolled(Purpose.STATISTICS)
    admin = create_engine(migrated_postgresql.replace("postgresql://", "postgresql+psycopg://"))
    with admin.begin() as connection:
        ended = text(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
            " WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
        )
        assert connection.execute(ended).scalar_one() > 0
    admin.dispose()
    assert device.send_report(report_of(api)).window == open_window(api.clock.now).name


def test_a_file_that_is_no_database_is_said_to_be_unavailable_and_stays_as_it_is(
    make_api: Callable[[str], Api], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "no.db"
    path.write_bytes(b"no database" * 1000)
    api = make_api(f"sqlite:///{path}")
    assert problem(api.connection.post("/v1/devices")) == (503, "database-unavailable")
    assert problem(api.connection.get("/readyz")) == (503, "not-ready")
    assert main(["migrate", "--database", f"sqlite:///{path}", "--keys", str(tmp_path / "keys")]) == 5
    assert "Traceback" not in capsys.readouterr().err
    assert path.read_bytes() == b"no database" * 1000


def test_a_database_one_migration_behind_is_refused_at_the_start_and_told_of_while_running(
    make_api: Callable[[str], Api], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--database", f"sqlite:///{tmp_path}/behind.db", "--keys", str(tmp_path / "keys")]
    assert main(["migrate", *options]) == 0
    api = make_api(options[1])
    assert api.connection.get("/readyz").status_code == 200
    with transaction(api.engine) as connection:
        command.downgrade(_alembic_config(connection), "-1")
    assert problem(api.connection.get("/readyz")) == (503, "not-ready")
    capsys.readouterr()
    assert main(["serve", "--port", "0", "--plain-http", "--registry", str(tmp_path), *options]) == 3
    said = capsys.readouterr().err
    assert "run `python -m api migrate` first" in said
    assert said.count("\n") == 1


@pytest.mark.parametrize("missing", ["timestamp.json", "4.snapshot.json", "3.releases.json"])
def test_a_registry_half_written_is_said_to_be_so_and_not_taken_for_an_empty_one(
    api: Api, missing: str, capsys: pytest.CaptureFixture[str]
) -> None:
    metadata = api.registry / "metadata"
    metadata.mkdir(parents=True)
    named = {
        "timestamp.json": {"meta": {"snapshot.json": {"version": 4}}},
        "4.snapshot.json": {"meta": {"releases.json": {"version": 3}}},
        "3.releases.json": {"targets": {}},
    }
    for name, signed in named.items():
        if name != missing:
            (metadata / name).write_text(json.dumps({"signed": signed, "signatures": []}))
    assert problem(api.connection.get("/v1/releases/current")) == (503, "not-ready")
    guard = operator(api, f"op-{secrets.token_hex(4)}")
    assert problem(guard.request("GET", "/v1/releases")) == (503, "not-ready")
    assert problem(api.connection.get("/readyz")) == (503, "not-ready")
    capsys.readouterr()
    serving = ["serve", "--port", "0", "--plain-http", "--registry", str(api.registry), "--keys", str(api.registry)]
    assert main([*serving, "--database", "sqlite:///never-opened.db"]) == 3
    assert "restore" in capsys.readouterr().err
    shutil.rmtree(metadata)
    assert problem(api.connection.get("/v1/releases/current")) == (404, "no-release")
    assert api.connection.get("/readyz").status_code == 200


def test_a_registry_that_is_gone_or_lost_its_metadata_is_not_taken_for_an_empty_one(api: Api) -> None:
    (api.registry / "targets" / "releases" / "1").mkdir(parents=True)
    assert problem(api.connection.get("/v1/releases/current")) == (503, "not-ready")
    shutil.rmtree(api.registry)
    assert problem(api.connection.get("/readyz")) == (503, "not-ready")
    api.registry.mkdir()
