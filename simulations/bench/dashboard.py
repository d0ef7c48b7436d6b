"""How long each page of the dashboard takes while a million reports wait: its first request after the server's start.

``dashboard_PAGE_DATABASE`` is the time of the one request in milliseconds, on a platform that has run for half a year.
The server is started anew for each page, and an operator has logged in. Measured among the longer tables alone, as the
reports take a minute to fill in.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx
from sqlalchemy import String, cast, insert, literal, select

from api.context import open_context
from api.database import migrate_database, transaction
from api.keys import load_keys, make_keys
from api.operator.drift import measure_new_figures
from api.people.service import create_operator
from api.process import running_api
from api.settings import Settings
from api.statistics.repository import lock_window
from api.tables import devices, reports
from models.domain.window import open_window
from simulations.bench.postgresql import PostgresqlMissingError, running_postgresql
from simulations.bench.row import Row, compare, full_is_asked, print_rows
from simulations.half_a_year import fill_database, fill_registry

REPORTS = 1_000_000

PAGES = ("overview", "calls", "drift", "model", "rounds", "releases", "audit")

_NAME, _PASSWORD = "the-operator", "four words nobody guesses"


def measure(*, full: bool) -> list[Row]:
    """Return a row for each page and kind of database; none but among the longer tables."""
    if not full:
        return []
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        make_keys(place / "keys")
        fill_registry(place, datetime.now(UTC))
        rows = _measure("sqlite", f"sqlite:///{place}/api.db", place)
        try:
            with running_postgresql() as url:
                rows += _measure("postgresql", url, place)
        except PostgresqlMissingError as missing:
            rows.append(compare("dashboard_postgresql", "ms", 0.0, f"not measured: {missing}", None))
    return rows


def _measure(kind: str, database: str, place: Path) -> list[Row]:
    _fill(database, place)
    against = f"the first request, beside {REPORTS:,} reports"
    return [
        compare(f"dashboard_{page}_{kind}", "ms", 1000 * _first_seconds(page, database, place), against, None)
        for page in PAGES
    ]


def _fill(database: str, place: Path) -> None:
    context = open_context(Settings(database, place / "registry", load_keys(place / "keys")))
    migrate_database(context.engine)
    create_operator(context, _NAME, _PASSWORD)
    fill_database(context.engine, context.settings.now)
    measure_new_figures(context)
    numbers = select(literal(1).label("n")).cte(recursive=True)
    numbers = numbers.union_all(select(numbers.c.n + 1).where(numbers.c.n < REPORTS))
    name, window = cast(numbers.c.n, String(32)), open_window(context.settings.now)
    told = select(name, literal(window.name), literal("verdict"), literal('["none"]'))
    with transaction(context.engine) as connection:
        lock_window(connection, window, exclusive=False)
        enrolled = select(name, literal(b""), literal(""))
        connection.execute(insert(devices).from_select(["id", "sealed_secret", "encryption_key"], enrolled))
        connection.execute(insert(reports).from_select(["device_id", "window", "metric", "answer"], told))
    context.engine.dispose()


def _first_seconds(page: str, database: str, place: Path) -> float:
    with _logged_in(database, place) as browser:
        started = time.perf_counter()
        answer = browser.get("/operator/" + ("" if page == "overview" else page))
        taken = time.perf_counter() - started
    if answer.status_code != httpx.codes.OK:
        raise ArithmeticError(f"the page {page} was answered with {answer.status_code}")
    return taken


@contextmanager
def _logged_in(database: str, place: Path) -> Iterator[httpx.Client]:
    with (
        running_api(database, place / "registry", place / "keys", place / "api.log") as url,
        httpx.Client(base_url=url, trust_env=False, headers={"Sec-Fetch-Site": "same-origin"}) as browser,
    ):
        answer = browser.post("/operator/login", data={"name": _NAME, "password": _PASSWORD})
        # As browsers do on loopback: the client itself keeps such a cookie for TLS alone.
        browser.headers["Cookie"] = answer.headers["set-cookie"].partition(";")[0]
        yield browser


if __name__ == "__main__":
    print_rows(measure(full=full_is_asked()))
