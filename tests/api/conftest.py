"""An application on every kind of database, with a clock that tests set, and the real client in front of it."""

from __future__ import annotations

import fcntl
import shutil
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from fastapi import FastAPI
from sqlalchemy import Engine, create_engine, text

from api.app import create_app
from api.database import connect_database, migrate_database
from api.keys import Keys, load_keys, make_keys
from api.people.passwords import PasswordCost
from api.settings import Settings
from api.tables import metadata
from fl_client.api_client import ApiClient
from models.domain.consent import Purpose
from simulations.bench.postgresql import PostgresqlMissingError, running_postgresql

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it would rather have a client that nothing else of ours uses
    from starlette.testclient import TestClient

CHEAP = PasswordCost(memory_kib=8, passes=1, for_tests=True)

MONDAY = datetime(2026, 11, 16, 0, 0, tzinfo=UTC)


@dataclass
class SettableClock:
    """One clock for the server and the devices, unless a test moves one of them."""

    now: datetime = MONDAY + timedelta(days=3)

    def __call__(self) -> float:
        return self.now.timestamp()


@dataclass
class Api:
    """A running application and what its tests need to look behind it."""

    app: FastAPI
    connection: TestClient
    engine: Engine
    registry: Path
    clock: SettableClock
    device_clock: SettableClock = field(init=False)

    def __post_init__(self) -> None:
        self.device_clock = self.clock

    def anonymous(self) -> ApiClient:
        return ApiClient(self.connection)

    def enrolled(self, *purposes: Purpose) -> ApiClient:
        credentials = self.anonymous().enroll()
        device = ApiClient(self.connection, credentials, now=lambda: self.device_clock.now)
        for consent_text in device.consent_texts():
            if consent_text.purpose in purposes and consent_text.language == "ko":
                device.give_consent(consent_text)
        return device

    def count(self, table: str) -> int:
        with self.engine.begin() as connection:
            return connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one()


@pytest.fixture(scope="session")
def postgresql_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with ExitStack() as servers:
        # For root its package makes a user, and fails where another process of the tests makes it at the same moment.
        with (tmp_path_factory.getbasetemp().parent / "postgresql.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            try:
                url = servers.enter_context(running_postgresql())
            except PostgresqlMissingError as missing:
                pytest.skip(str(missing))
        yield url


@pytest.fixture(scope="session")
def migrated_postgresql(postgresql_url: str) -> str:
    engine = connect_database(postgresql_url)
    migrate_database(engine)
    engine.dispose()
    return postgresql_url


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> str:
    url = f"sqlite:///{tmp_path_factory.mktemp('database')}/api.db"
    engine = connect_database(url)
    migrate_database(engine)
    engine.dispose()
    return url


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """An empty, migrated database."""
    url: str = request.getfixturevalue(f"migrated_{request.param}")
    engine = connect_database(url)
    with engine.begin() as connection:
        for table in reversed(metadata.sorted_tables):
            connection.execute(table.delete())
    engine.dispose()
    return url


@pytest.fixture(params=["sqlite", "postgresql"])
def bare_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database without any table."""
    if request.param == "sqlite":
        (tmp_path / "bare.db").touch()
        yield f"sqlite:///{tmp_path}/bare.db"
        return
    url: str = request.getfixturevalue("postgresql_url")
    admin = create_engine(url.replace("postgresql://", "postgresql+psycopg://"), isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text("CREATE DATABASE bare"))
    yield url.replace("/postgres?", "/bare?")
    with admin.connect() as connection:
        connection.execute(text("DROP DATABASE bare WITH (FORCE)"))
    admin.dispose()


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    folder = tmp_path_factory.mktemp("keys")
    make_keys(folder)
    return load_keys(folder)


@pytest.fixture
def make_api(keys: Keys, tmp_path: Path) -> Iterator[Callable[[str], Api]]:
    opened: list[TestClient] = []

    def make(url: str) -> Api:
        clock = SettableClock()
        (tmp_path / "registry").mkdir(exist_ok=True)
        app = create_app(Settings(url, tmp_path / "registry", keys, clock, CHEAP))
        connection = TestClient(app, raise_server_exceptions=False)
        connection.__enter__()
        opened.append(connection)
        return Api(app, connection, app.state.context.engine, tmp_path / "registry", clock)

    yield make
    for connection in opened:
        connection.__exit__(None, None, None)


@pytest.fixture
def api(make_api: Callable[[str], Api], database_url: str) -> Api:
    """The application on each kind of database."""
    return make_api(database_url)


@pytest.fixture
def sqlite_api(make_api: Callable[[str], Api], migrated_sqlite: str) -> Api:
    """The application on SQLite only, for what doesn't depend on the database."""
    return make_api(migrated_sqlite)


@pytest.fixture
def fresh_api(make_api: Callable[[str], Api], untouched_sqlite: Path, tmp_path: Path) -> Api:
    """The application on a SQLite file of its own, for what upkeep must not meet another test's rows in."""
    shutil.copy(untouched_sqlite, tmp_path / "api.db")
    return make_api(f"sqlite:///{tmp_path}/api.db")


@pytest.fixture(scope="session")
def untouched_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file that nobody uses, to be copied."""
    path = tmp_path_factory.mktemp("untouched") / "api.db"
    engine = connect_database(f"sqlite:///{path}")
    migrate_database(engine)
    engine.dispose()
    return path
