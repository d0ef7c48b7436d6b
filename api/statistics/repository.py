"""Windows, reports and released figures in the database."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Any

from sqlalchemy import Connection, Executable, Row, bindparam, delete, func, insert, select, update

from api.database import dialect_insert, insert_if_absent
from api.tables import figures, reports, windows
from models.domain.window import Window
from models.privacy.local_randomiser import Answer, LocalRandomiser, ShareEstimate


class WindowState(StrEnum):
    """What became of a window: figures, or nothing because too few had reported."""

    OPEN = "open"
    RELEASED = "released"
    WITHHELD = "withheld"


@dataclass(frozen=True, slots=True)
class Report:
    """What a device told of a window: its answer to the question that it drew."""

    window: Window
    metric: str
    answer: Answer


@dataclass(frozen=True, slots=True)
class Figure:
    """The released answer to one metric's question, frozen.

    Attributes:
        epsilon: Local differential privacy of one answer in it.
        reports: Devices that answered this question.
        counts: Randomised answers that support each value, in the order that the domain had.
        estimates: By value.
    """

    window: Window
    metric: str
    epsilon: float
    reports: int
    counts: dict[str, int]
    estimates: dict[str, ShareEstimate]

    @property
    def randomiser(self) -> LocalRandomiser:
        """The mechanism that its answers came out of: also what windows that never were can be simulated with."""
        return LocalRandomiser(tuple(self.counts), self.epsilon)


_WINDOW = select(windows.c.state).where(windows.c.name == bindparam("window"))
_WINDOW_SHARED, _WINDOW_ALONE = _WINDOW.with_for_update(read=True), _WINDOW.with_for_update()


def lock_window(connection: Connection, window: Window, *, exclusive: bool) -> WindowState:
    """Return a window's state and keep others from closing it (shared) or from reporting on it (exclusive).

    The lock lasts until the transaction ends; SQLite has one writer anyway.
    """
    statement = _WINDOW_ALONE if exclusive else _WINDOW_SHARED
    state = connection.execute(statement, {"window": window.name}).scalar()
    if state is None:
        insert_if_absent(connection, windows, name=window.name, state=WindowState.OPEN.value, reports=0)
        state = connection.execute(statement, {"window": window.name}).scalar_one()
    return WindowState(state)


def state_of(connection: Connection, window: Window) -> WindowState | None:
    """Return a window's state, ``None`` where nobody ever reported on it."""
    state = connection.execute(select(windows.c.state).where(windows.c.name == window.name)).scalar()
    return None if state is None else WindowState(state)


def windows_in_state(connection: Connection, state: WindowState) -> list[Window]:
    """Return the windows in a state, oldest first."""
    names = connection.execute(select(windows.c.name).where(windows.c.state == state.value)).scalars()
    return sorted(Window.parse(name) for name in names)


def close_window(connection: Connection, window: Window, state: WindowState, report_count: int, closed_at: int) -> None:
    """Set what became of a window, for good, and delete its reports with their links to devices."""
    connection.execute(
        update(windows)
        .where(windows.c.name == window.name, windows.c.state == WindowState.OPEN.value)
        .values(state=state.value, reports=report_count, closed_at=closed_at)
    )
    connection.execute(delete(reports).where(reports.c.window == window.name))


def insert_report(connection: Connection, device_id: str, report: Report) -> bool:
    """Store a report and keep others from closing its window until the transaction ends.

    Returns:
        False where the window isn't open or wasn't reported on yet, or the device has a report for it already.
    """
    row = {
        "device_id": device_id,
        "metric": report.metric,
        "answer": json.dumps(report.answer, separators=(",", ":")),
        "window": report.window.name,
    }
    return connection.execute(_insert_report(connection.dialect.name), row).rowcount == 1


@cache
def _insert_report(dialect: str) -> Executable:
    told = (bindparam(name, type_=reports.c[name].type) for name in ("device_id", "metric", "answer"))
    row = (
        select(*told, windows.c.name)
        .where(windows.c.name == bindparam("window"), windows.c.state == WindowState.OPEN.value)
        .with_for_update(read=True)
    )
    names = ["device_id", "metric", "answer", "window"]
    statement = dialect_insert(dialect, reports).from_select(names, row).on_conflict_do_nothing()
    return statement.execution_options(preserve_rowcount=True)


def find_report(connection: Connection, device_id: str, window: Window) -> Report | None:
    """Return the report that a device made on a window."""
    row = connection.execute(
        select(reports.c.metric, reports.c.answer).where(
            reports.c.device_id == device_id, reports.c.window == window.name
        )
    ).first()
    return None if row is None else Report(window, row.metric, tuple(json.loads(row.answer)))


def delete_reports_of_device(connection: Connection, device_id: str) -> int:
    """Delete a device's reports and return how many there were."""
    return connection.execute(delete(reports).where(reports.c.device_id == device_id)).rowcount


def count_answers(connection: Connection, window: Window) -> dict[str, Counter[Answer]]:
    """Return how many devices gave which answer to which metric's question, for a window."""
    rows = connection.execute(
        select(reports.c.metric, reports.c.answer, func.count())
        .where(reports.c.window == window.name)
        .group_by(reports.c.metric, reports.c.answer)
    )
    answered: dict[str, Counter[Answer]] = defaultdict(Counter)
    for metric, answer, count in rows:
        answered[metric][tuple(json.loads(answer))] += count
    return answered


def insert_figure(connection: Connection, figure: Figure) -> None:
    """Store a figure as it is released."""
    estimates = {
        value: [estimate.share, estimate.standard_error, estimate.low, estimate.high]
        for value, estimate in figure.estimates.items()
    }
    connection.execute(
        insert(figures).values(
            window=figure.window.name,
            metric=figure.metric,
            epsilon=figure.epsilon,
            reports=figure.reports,
            counts=json.dumps(figure.counts),
            estimates=json.dumps(estimates),
        )
    )


def find_figure(connection: Connection, window: Window, metric: str) -> Figure | None:
    """Return a released figure."""
    row = connection.execute(select(figures).where(figures.c.window == window.name, figures.c.metric == metric)).first()
    return None if row is None else _figure(row)


def figures_of(connection: Connection, metric: str) -> list[Figure]:
    """Return every released figure of a metric, oldest first."""
    rows = connection.execute(select(figures).where(figures.c.metric == metric))
    return sorted(map(_figure, rows), key=lambda figure: figure.window)


def newest_figure(connection: Connection, metric: str) -> Figure | None:
    """Return the newest released figure of a metric. Names of weeks sort by time."""
    newest = select(figures).where(figures.c.metric == metric).order_by(figures.c.window.desc()).limit(1)
    row = connection.execute(newest).first()
    return None if row is None else _figure(row)


def _figure(row: Row[Any]) -> Figure:
    estimates = {value: ShareEstimate(*numbers) for value, numbers in json.loads(row.estimates).items()}
    counts: dict[str, int] = json.loads(row.counts)
    return Figure(Window.parse(row.window), row.metric, row.epsilon, row.reports, counts, estimates)
