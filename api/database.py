"""The database: SQLite by default, PostgreSQL in production. One request is one transaction."""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from enum import IntEnum
from functools import cache
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import URL, Connection, Engine, Executable, Table, create_engine, event, func, make_url, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, DBAPIError, DisconnectionError, NoSuchModuleError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from models.errors import BadInputError, UnreachableError, UsageError

BUSY_MILLISECONDS = 10_000
"""How long a writer waits for another one in SQLite."""

READER_MILLISECONDS = 500
"""How long emptying SQLite's log, which keeps all others from writing, waits for readers."""

_CONNECTIONS = 40  # as many as the server has worker threads, so that none waits for a connection
_WRITER = "sqlite_writer"  # execution option that holds the lock of this process's writers
_FILE = "sqlite_file"  # device and inode of the file that a connection is to
_BEGIN = "sqlite_begin"  # execution option of a connection that only reads
_LOCKS = 0x48656172  # keeps our advisory locks apart from those of others on the same server
_log = logging.getLogger("hearsay.api")
_MIGRATIONS = Path(__file__).parent / "migrations"


def connect_database(url: str) -> Engine:
    """Return an engine for a SQLite file or a PostgreSQL database. Nothing is opened yet.

    Raises:
        UsageError: It is neither.
    """
    parsed = _parse_url(url)
    if parsed.get_backend_name() == "sqlite":
        return _connect_sqlite(parsed)
    return create_engine(parsed, pool_size=_CONNECTIONS, max_overflow=0, pool_pre_ping=True, hide_parameters=True)


@contextmanager
def transaction(engine: Engine, *, write: bool = True) -> Iterator[Connection]:
    """Open a transaction that is committed at the end and rolled back by any error.

    On SQLite a writing one takes the write lock at once: taken later, it could fail in the middle.

    Raises:
        DBAPIError: The database is locked, full or gone.
        PoolTimeoutError: Too many others are writing.
    """
    with _turn(engine) if write else nullcontext(), engine.connect() as connection:
        if not write:
            connection.execution_options(**{_BEGIN: "DEFERRED"})
        with connection.begin():
            yield connection


class Lock(IntEnum):
    """What one transaction at a time may do."""

    AUDIT = 1
    ORDERS = 2


def hold_lock(connection: Connection, lock: Lock) -> None:
    """Wait until no other transaction holds a lock, and hold it until this one ends.

    On SQLite a writing transaction is alone in any case.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(_LOCKS, lock.value)))


def empty_log(engine: Engine) -> None:
    """Take what was deleted out of SQLite's write-ahead log too, which keeps pages as they were before.

    Where a reader is in the way it is left to the next call. PostgreSQL's log is for its administrator to keep or not.
    """
    if engine.dialect.name != "sqlite":
        return
    with _turn(engine), closing(engine.raw_connection()) as pooled:
        cursor = pooled.cursor()
        try:
            cursor.execute(f"PRAGMA busy_timeout = {READER_MILLISECONDS}")
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            cursor.execute(f"PRAGMA busy_timeout = {BUSY_MILLISECONDS}")
        except sqlite3.Error as error:
            _log.error("the write-ahead log wasn't emptied: %s", type(error).__name__)


def insert_if_absent(connection: Connection, table: Table, **values: Any) -> bool:
    """Insert a row and return true; return false where another row holds its key or one of its unique values."""
    return connection.execute(_insert_if_absent(connection.dialect.name, table), values).rowcount == 1


def dialect_insert(dialect: str, table: Table) -> postgresql.Insert | sqlite.Insert:
    """Return an insert that can say what happens on a conflict, in the words of a database."""
    return postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)


def migrate_database(engine: Engine) -> str:
    """Bring the tables up to date and return the revision.

    Raises:
        BadInputError: They are of a revision that this program doesn't know.
        UnreachableError: The database can't be reached or opened.
    """
    if engine.dialect.name == "sqlite":
        _make_private(Path(str(engine.url.database)))
    with _naming_unknown_revisions(), _reachable(engine), transaction(engine) as connection:
        command.upgrade(_alembic_config(connection), "head")
        return str(_revision(connection))


@contextmanager
def _naming_unknown_revisions() -> Iterator[None]:
    try:
        yield
    except CommandError as error:
        raise BadInputError(
            "the database's tables are of a revision that this program doesn't know: a newer program made them"
        ) from error


def downgrade_database(engine: Engine) -> None:
    """Take all tables away again. For tests and for going back after a failed deployment."""
    with _reachable(engine), transaction(engine) as connection:
        command.downgrade(_alembic_config(connection), "base")


def require_current_schema(engine: Engine) -> None:
    """Return only if the tables are those that this program expects.

    Raises:
        BadInputError: They are of another revision.
        UnreachableError: The database can't be reached or opened.
    """
    hint = ": is it there? `python -m api migrate` makes it"
    with _reachable(engine, hint), transaction(engine, write=False) as connection:
        revision = _revision(connection)
    expected = newest_revision()
    if revision != expected:
        found = "has no tables" if revision is None else f"is at revision {revision}, not {expected}"
        raise BadInputError(f"the database {found}: run `python -m api migrate` first")


def newest_revision() -> str | None:
    """Return the revision that this program's tables are at."""
    return ScriptDirectory(str(_MIGRATIONS)).get_current_head()


@cache
def _insert_if_absent(dialect: str, table: Table) -> Executable:
    # Made once: building a statement takes longer than running it.
    return dialect_insert(dialect, table).on_conflict_do_nothing().execution_options(preserve_rowcount=True)


def _parse_url(url: str) -> URL:
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() == "postgresql":
            return parsed.set(drivername="postgresql+psycopg")
        if parsed.get_backend_name() == "sqlite" and parsed.database not in (None, "", ":memory:"):
            return parsed.set(drivername="sqlite+pysqlite")
    except (ArgumentError, NoSuchModuleError):
        pass
    # The address itself may hold a password, so the message doesn't repeat it.
    raise UsageError("expected --database sqlite:///FILE or postgresql://USER@HOST/NAME")


def _connect_sqlite(url: URL) -> Engine:
    engine = create_engine(
        url,
        pool_size=_CONNECTIONS,
        max_overflow=0,
        hide_parameters=True,
        connect_args={"check_same_thread": False, "timeout": BUSY_MILLISECONDS / 1000},
        execution_options={_WRITER: threading.Lock()},
    )
    event.listen(engine, "do_connect", _require_file)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "checkout", _require_same_file)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _make_private(path: Path) -> None:
    """Make an absent or empty database file for its owner alone; SQLite gives its log beside it the same mode."""
    try:
        path.touch(mode=0o600)
        if path.stat().st_size == 0:  # made beforehand, by a tool that left it open to all
            path.chmod(0o600)
    except OSError:
        return  # the first transaction says in its own words what is wrong with the place


def _require_file(_dialect: object, _record: object, arguments: list[str], _options: object) -> None:
    """Refuse a file that isn't there: SQLite would make an empty one. `migrate_database` alone makes files."""
    if not Path(arguments[0]).is_file():
        raise sqlite3.OperationalError("unable to open database file")


def _require_same_file(_connection: object, record: Any, _proxy: object) -> None:
    """Drop a connection to a file that was moved or deleted since: what it took would be acknowledged and lost."""
    if _file_of(record.dbapi_connection) != record.info[_FILE]:
        raise DisconnectionError


def _file_of(connection: sqlite3.Connection) -> tuple[int, int] | None:
    path = connection.execute("PRAGMA database_list").fetchone()[2]
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _prepare_sqlite(connection: Any, record: Any) -> None:
    record.info[_FILE] = _file_of(connection)
    # The driver's own BEGIN comes too late and never takes the write lock: we send ours.
    connection.isolation_level = None
    for pragma in (
        "journal_mode = WAL",
        "synchronous = FULL",  # what was acknowledged survives a power cut
        "foreign_keys = ON",
        "secure_delete = ON",  # what a person withdrew is overwritten, not only unlinked
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql(f"BEGIN {connection.get_execution_options().get(_BEGIN, 'IMMEDIATE')}")


@contextmanager
def _turn(engine: Engine) -> Iterator[None]:
    """Let this process's writers to SQLite take turns: its own lock has them sleep, and start again by chance."""
    writer: threading.Lock | None = engine.get_execution_options().get(_WRITER)
    if writer is None:
        yield
        return
    if not writer.acquire(timeout=BUSY_MILLISECONDS / 1000):
        raise PoolTimeoutError("other requests are writing")
    try:
        yield
    finally:
        writer.release()


def _alembic_config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


@contextmanager
def _reachable(engine: Engine, hint: str = "") -> Iterator[None]:
    try:
        yield
    except DBAPIError:
        # The driver's own message may hold the address and the user's name.
        raise UnreachableError(f"the {engine.dialect.name} database can't be reached or opened{hint}") from None
