from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, insert, inspect, select, text

from api import database
from api.database import (
    _alembic_config,
    connect_database,
    downgrade_database,
    empty_log,
    migrate_database,
    newest_revision,
    require_current_schema,
    transaction,
)
from api.tables import devices, metadata, reports, training_keys
from fl_client.api_client import ApiClient
from models.domain.consent import Purpose
from models.errors import BadInputError, UnreachableError, UsageError
from tests.api.conftest import Api


def test_migrations_go_up_and_down_and_up_again(bare_database_url: str) -> None:
    engine = connect_database(bare_database_url)
    with pytest.raises(BadInputError, match="migrate"):
        require_current_schema(engine)
    for _ in range(2):
        assert migrate_database(engine) == newest_revision()
        assert migrate_database(engine) == newest_revision()
        require_current_schema(engine)
        assert set(inspect(engine).get_table_names()) == {*metadata.tables, "alembic_version"}
        downgrade_database(engine)
        assert set(inspect(engine).get_table_names()) == {"alembic_version"}
    engine.dispose()


def test_migrated_tables_are_those_that_the_program_describes(bare_database_url: str) -> None:
    engine = connect_database(bare_database_url)
    migrate_database(engine)
    with transaction(engine) as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        differences = [change for change in compare_metadata(context, metadata) if _matters(change)]
    assert differences == []
    engine.dispose()


def test_reports_of_the_one_question_survive_the_step_to_many_and_back(bare_database_url: str) -> None:
    engine = connect_database(bare_database_url)
    migrate_to(engine, "0003")
    with transaction(engine) as connection:
        connection.execute(text("INSERT INTO devices VALUES ('a', :secret, 'k')"), {"secret": b"s"})
        connection.execute(text("INSERT INTO devices VALUES ('b', :secret, 'k')"), {"secret": b"s"})
        connection.execute(text("INSERT INTO windows VALUES ('2026-W46', 'open', 0, NULL)"))
        connection.execute(text("""INSERT INTO reports VALUES ('a', '2026-W46', '{"verdict"\\:"normal"}')"""))
    migrate_database(engine)
    rows = text("SELECT device_id, metric, answer FROM reports ORDER BY device_id")
    with transaction(engine) as connection:
        assert connection.execute(rows).all() == [("a", "verdict", '["normal"]')]
        other = {"device_id": "b", "window": "2026-W46", "metric": "score", "answer": '["none"]'}
        connection.execute(insert(reports).values(other))
    migrate_to(engine, "0003", down=True)
    with transaction(engine) as connection:
        kept = connection.execute(text("SELECT device_id, answers FROM reports")).all()
    assert kept == [("a", '{"verdict":"normal"}')]
    engine.dispose()


def migrate_to(engine: Engine, revision: str, *, down: bool = False) -> None:
    with transaction(engine) as connection:
        (command.downgrade if down else command.upgrade)(_alembic_config(connection), revision)


def _matters(change: object) -> bool:
    # SQLite keeps no comments, so the comparison finds them missing there.
    text_of_change = str(change)
    return "modify_comment" not in text_of_change


def test_a_database_of_another_revision_is_refused_with_what_to_do(bare_database_url: str) -> None:
    engine = connect_database(bare_database_url)
    migrate_database(engine)
    with transaction(engine) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0000'"))
    with pytest.raises(BadInputError, match=f"0000, not {newest_revision()}: run `python -m api migrate` first"):
        require_current_schema(engine)
    engine.dispose()


@pytest.mark.parametrize(
    "url", ["", "sqlite://", "sqlite:///:memory:", "mysql://user:hunter2@host/db", "nonsense", "postgres:hunter2"]
)
def test_only_sqlite_files_and_postgresql_are_taken_and_no_password_is_repeated(url: str) -> None:
    with pytest.raises(UsageError) as refusal:
        connect_database(url)
    assert "hunter2" not in str(refusal.value)


def test_a_database_that_is_not_there_is_unreachable_and_its_address_is_not_told(tmp_path: Path) -> None:
    for url in (f"sqlite:///{tmp_path}/no/such.db", "postgresql://me:hunter2@127.0.0.1:1/nothing?connect_timeout=2"):
        with pytest.raises(UnreachableError) as refusal:
            migrate_database(connect_database(url))
        assert "hunter2" not in str(refusal.value)
        assert "such.db" not in str(refusal.value)


def test_what_is_deleted_from_a_sqlite_file_is_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "api.db"
    engine = connect_database(f"sqlite:///{path}")
    migrate_database(engine)
    with transaction(engine) as connection:
        connection.execute(text("INSERT INTO windows VALUES ('CANARY17', 'open', 0, NULL)"))
    with transaction(engine) as connection:
        connection.execute(text("DELETE FROM windows"))
    engine.dispose()  # the last connection folds the log into the file and removes it
    assert b"CANARY17" not in path.read_bytes()
    assert not path.with_name("api.db-wal").exists()


def test_what_is_destroyed_is_taken_out_of_the_log_too(
    make_api: Callable[[str], Api], untouched_sqlite: Path, tmp_path: Path
) -> None:
    shutil.copy(untouched_sqlite, tmp_path / "api.db")
    api = make_api(f"sqlite:///{tmp_path}/api.db")
    for destroy in (ApiClient.leave, lambda device: device.withdraw(Purpose.TRAINING)):
        device = api.enrolled(Purpose.TRAINING)
        with transaction(api.engine) as connection:
            row = {"device_id": device_id_of(device), "node_key": b"a node's key " * 4, "identity_key": b"another " * 4}
            connection.execute(insert(training_keys).values(row))
            sealed = connection.execute(
                select(devices.c.sealed_secret).where(devices.c.id == row["device_id"])
            ).scalar()
        assert row["node_key"] in everything(tmp_path)
        destroy(device)
        assert row["node_key"] not in everything(tmp_path)
        assert (sealed in everything(tmp_path)) == (destroy is not ApiClient.leave)


def test_a_reader_in_the_way_leaves_the_log_to_the_next_time(fresh_api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "READER_MILLISECONDS", 1)
    engine, log = fresh_api.engine, Path(f"{fresh_api.engine.url.database}-wal")
    with transaction(engine, write=False) as reader:
        reader.execute(select(devices.c.id)).all()
        fresh_api.anonymous().enroll()
        empty_log(engine)
        assert log.stat().st_size > 0
    empty_log(engine)
    assert log.stat().st_size == 0


def device_id_of(device: ApiClient) -> str:
    return device._signature._device_id


def everything(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.glob("api.db*"))


def test_tables_that_a_newer_program_made_are_refused_in_one_line(bare_database_url: str) -> None:
    engine = connect_database(bare_database_url)
    migrate_database(engine)
    with transaction(engine) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(BadInputError, match="a newer program made them"):
        migrate_database(engine)
    with transaction(engine) as connection:  # the database may be another test's, too
        connection.execute(text("UPDATE alembic_version SET version_num = :known"), {"known": newest_revision()})
    engine.dispose()


@pytest.mark.parametrize("opened_before", [False, True])
def test_a_sqlite_file_and_its_log_are_for_their_owner_alone(opened_before: bool, tmp_path: Path) -> None:
    if opened_before:
        (tmp_path / "api.sqlite3").touch(0o644)
    engine = connect_database(f"sqlite:///{tmp_path / 'api.sqlite3'}")
    migrate_database(engine)
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    engine.dispose()
    assert set(modes.values()) == {0o600}
    assert "api.sqlite3-wal" in modes
