"""What a signed report costs: beside a bare insert of the same row, on SQLite and PostgreSQL, over HTTP on loopback.

``signed_report_DATABASE`` is the time of a report at 50 kept-alive connections, each of which sends its next report as
soon as it was answered: the inverse of the reports that a busy server takes a second.
``signed_report_DATABASE_one_connection`` is the time from sending a report to its answer while nothing else is asked
for. Every report is of another device, that consented, and was signed beforehand. Server, load and database share the
machine's cores. An answer other than 200, or a report that was acknowledged and is not in the database, fails the
measurement. ``signed_report_DATABASE_minute`` counts the reports that 50 connections sent in a minute, each answered
with 200 and stored.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import create_engine, func, select, text

from api.database import connect_database, migrate_database
from api.keys import Keys, load_keys, make_keys
from api.process import running_api, running_server
from api.tables import reports
from fl_client.request_signing import Credentials
from simulations.bench.load import Load
from simulations.bench.postgresql import PostgresqlMissingError, running_postgresql
from simulations.bench.reporting_devices import add_devices, bare_reports, signed_reports
from simulations.bench.row import Row, compare, median_pair, print_rows


@dataclass(frozen=True, slots=True)
class Traffic:
    """How reports are sent to both servers in turns, the first of which warms up.

    Attributes:
        name: Stands at the end of the row's.
        batch: Reports of one turn.
    """

    name: str
    connections: int
    batch: int
    least_turns: int
    most_turns: int
    seconds: float


BUSY = Traffic("", connections=50, batch=200, least_turns=5, most_turns=7, seconds=6.0)
ALONE = Traffic("_one_connection", connections=1, batch=20, least_turns=5, most_turns=11, seconds=3.0)

MINUTE, MINUTE_BATCH = 60.0, 1000


class Side:
    """One of the two servers, with the devices that report to it.

    Args:
        url: Of the server.
        database: Its own; migrated.
        keys: That the server seals devices' secrets with.
        spell: Makes the devices' requests.
    """

    def __init__(
        self,
        url: str,
        database: str,
        keys: Keys,
        spell: Callable[[str, list[Credentials]], list[bytes]],
    ) -> None:
        self._url, self._keys, self._spell = url, keys, spell
        self._engine, self._acknowledged = connect_database(database), 0

    @contextmanager
    def turns(self, traffic: Traffic) -> Iterator[Callable[[], None]]:
        """Yield what sends the next batch of reports; all were made before."""
        requests = self._make(traffic.batch * (traffic.most_turns + 1))
        with Load(self._url, traffic.connections) as load:

            def send() -> None:
                batch = [requests.pop() for _ in range(traffic.batch)]
                load.send(batch)
                self._acknowledged += len(batch)

            yield send

    def send_for(self, seconds: float, connections: int) -> int:
        """Send reports for some seconds, not counting those in which they are made, and return how many."""
        before, taken = self._acknowledged, 0.0
        while taken < seconds:
            requests = self._make(MINUTE_BATCH)
            # Opened anew: the server closes connections that idle while requests are made.
            with Load(self._url, connections) as load:
                started = time.perf_counter()
                load.send(requests)
                taken += time.perf_counter() - started
                self._acknowledged += len(requests)
        return self._acknowledged - before

    def require_all_stored(self) -> None:
        """Return only if every report that was acknowledged is in the database, and no other."""
        with self._engine.connect() as connection:
            stored = connection.execute(select(func.count()).select_from(reports)).scalar_one()
        self._engine.dispose()
        if stored != self._acknowledged:
            raise ArithmeticError(f"{self._acknowledged} reports were acknowledged, {stored} are stored")

    def _make(self, count: int) -> list[bytes]:
        return self._spell(self._url, add_devices(self._engine, self._keys.encryption, count))


def measure() -> list[Row]:
    """Return the rows of both kinds of database; where PostgreSQL is missing, its row says why."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        rows += _measure("signed_report_sqlite", f"sqlite:///{place}/ours.db", f"sqlite:///{place}/bare.db", place)
        try:
            with running_postgresql() as admin:
                rows += _measure("signed_report_postgresql", *_two_databases(admin), place)
        except PostgresqlMissingError as missing:
            rows.append(compare("signed_report_postgresql", "ms", 0.0, f"not measured: {missing}", None))
    return rows


def _two_databases(admin_url: str) -> tuple[str, str]:
    admin = create_engine(admin_url.replace("postgresql://", "postgresql+psycopg://"), isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        for name in ("ours", "bare"):
            connection.execute(text(f"CREATE DATABASE {name}"))
    admin.dispose()
    ours, bare = (admin_url.replace("/postgres?", f"/{name}?") for name in ("ours", "bare"))
    return ours, bare


def _measure(name: str, our_database: str, bare_database: str, place: Path) -> list[Row]:
    with _both_sides(our_database, bare_database, place) as (ours, bare):
        rows = [_compare(name, traffic, ours, bare) for traffic in (BUSY, ALONE)]
        sent = ours.send_for(MINUTE, BUSY.connections)
        rows.append(compare(f"{name}_minute", "reports", sent, "no error in 60 s at 50 connections", None))
        for side in (ours, bare):
            side.require_all_stored()
    return rows


@contextmanager
def _both_sides(our_database: str, bare_database: str, place: Path) -> Iterator[tuple[Side, Side]]:
    make_keys(place / "keys")
    (place / "registry").mkdir(exist_ok=True)
    keys = load_keys(place / "keys")
    for database in (our_database, bare_database):
        engine = connect_database(database)
        migrate_database(engine)
        engine.dispose()
    bare_command = [sys.executable, "-m", "simulations.bench.bare_insert", bare_database]
    with (
        running_api(our_database, place / "registry", place / "keys", place / "ours.log") as our_url,
        running_server(bare_command, place / "bare.log") as bare_url,
    ):
        yield (
            Side(our_url, our_database, keys, signed_reports),
            Side(bare_url, bare_database, keys, bare_reports),
        )


def _compare(name: str, traffic: Traffic, ours: Side, bare: Side) -> Row:
    with ours.turns(traffic) as send_ours, bare.turns(traffic) as send_bare:
        seconds = median_pair(send_ours, send_bare, traffic.seconds, traffic.least_turns, traffic.most_turns)
    mine, peers = (1000 * taken / traffic.batch for taken in seconds)
    return compare(name + traffic.name, "ms", mine, "bare_insert", peers)


if __name__ == "__main__":
    print_rows(measure())
