"""Taking reports, releasing a window's figures once, and reading them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from api.problems import Problem, ProblemError
from api.statistics import repository
from api.statistics.repository import Figure, WindowState
from models.domain.statistic import METRICS, REPORTS_BEFORE_RELEASE, Metric
from models.domain.window import Window, open_window
from models.privacy.randomised_response import estimate_shares


@dataclass(frozen=True, slots=True)
class ClosedWindow:
    """What became of a window that was closed.

    Attributes:
        reports: How many were folded into its figures, or destroyed unread where they were too few.
    """

    window: Window
    state: WindowState
    reports: int


def accept_report(
    connection: Connection, device_id: str, window: Window, answers: Mapping[str, str], now: datetime
) -> None:
    """Store a device's randomised answers for a window. The same report again changes nothing.

    Raises:
        ProblemError: The window isn't open, or the device gave other answers for it before.
    """
    _require_open(connection, window, now)
    text = json.dumps(dict(sorted(answers.items())), separators=(",", ":"))
    if repository.insert_report(connection, device_id, window, text):
        return
    if repository.find_answers(connection, device_id, window) != text:
        raise ProblemError(
            Problem.REPORT_CONFLICT,
            "a device answers once a window: send the report that was made first",
            window=window.name,
        )


def release_window(connection: Connection, window: Window, now: datetime, *, early: bool = False) -> ClosedWindow:
    """Close a window for good: fold its reports into frozen figures and delete them.

    On its fixed day a window with too few reports is closed without figures. Closed early, which gives no more than one
    look either, it must have enough of them, and stays open otherwise.

    Args:
        connection: In a writing transaction.
        window: The week to release.
        now: With its time zone.
        early: Do not wait for the day on the calendar; reports that are still to come are lost.

    Raises:
        ProblemError: It is too early, or the window has too few reports to be closed early.
    """
    state = repository.lock_window(connection, window, exclusive=True)
    if state is not WindowState.OPEN:
        raise ProblemError(Problem.WINDOW_NOT_DUE, f"{window.name} was closed before: it is {state.value}")
    if now < window.collected_until and not early:
        raise ProblemError(
            Problem.WINDOW_NOT_DUE, f"{window.name} takes reports until {window.collected_until.isoformat()}"
        )
    answered = repository.count_answers(connection, window)
    total = sum(count for _, count in answered)
    if total < REPORTS_BEFORE_RELEASE and early:
        raise ProblemError(
            Problem.WINDOW_NOT_DUE, f"{window.name} has {total} of the {REPORTS_BEFORE_RELEASE} reports that it needs"
        )
    return _close(connection, window, answered, total, now)


def release_due_windows(connection: Connection, now: datetime) -> list[ClosedWindow]:
    """Close every window whose day has come, oldest first."""
    waiting = repository.windows_in_state(connection, WindowState.OPEN)
    return [release_window(connection, window, now) for window in waiting if window.collected_until <= now]


def read_figure(connection: Connection, metric: str, window: Window | None) -> Figure:
    """Return a released figure, the newest one where no window is named.

    Raises:
        ProblemError: There is no such metric, or no figure was released.
    """
    if metric not in METRICS:
        raise ProblemError(Problem.NOT_FOUND, f"there is no such metric: expected one of {', '.join(METRICS)}")
    window = window or _newest_released(connection)
    figure = None if window is None else repository.find_figure(connection, window, metric)
    if window is None or figure is None:
        raise ProblemError(Problem.NOT_RELEASED, _why_not_released(connection, window))
    return figure


def _require_open(connection: Connection, window: Window, now: datetime) -> None:
    taken = open_window(now)
    state = repository.lock_window(connection, window, exclusive=False) if window == taken else None
    if state is not WindowState.OPEN:
        raise ProblemError(
            Problem.WINDOW_NOT_OPEN,
            f"reports are taken for {taken.name} now" if state is None else f"{window.name} is closed: {state.value}",
            open_window=taken.name,
        )


def _close(
    connection: Connection, window: Window, answered: list[tuple[str, int]], total: int, now: datetime
) -> ClosedWindow:
    enough = total >= REPORTS_BEFORE_RELEASE
    if enough:
        for metric in METRICS.values():
            repository.insert_figure(connection, _fold(window, metric, answered, total))
    state = WindowState.RELEASED if enough else WindowState.WITHHELD
    repository.close_window(connection, window, state, total, int(now.timestamp()))
    return ClosedWindow(window, state, total)


def _fold(window: Window, metric: Metric, answered: list[tuple[str, int]], total: int) -> Figure:
    tally: Counter[str] = Counter()
    for answers, count in answered:
        tally[json.loads(answers)[metric.name]] += count
    counts = {value: tally[value] for value in metric.values}
    return Figure(window, metric.name, metric.epsilon, total, counts, estimate_shares(counts, metric.epsilon))


def _newest_released(connection: Connection) -> Window | None:
    return max(repository.windows_in_state(connection, WindowState.RELEASED), default=None)


def _why_not_released(connection: Connection, window: Window | None) -> str:
    if window is None:
        return "no window was released yet"
    if repository.state_of(connection, window) is WindowState.WITHHELD:
        return f"{window.name} had fewer than {REPORTS_BEFORE_RELEASE} reports; they are destroyed"
    due = window.collected_until.isoformat()
    return f"{window.name} is released after {due}, from {REPORTS_BEFORE_RELEASE} reports on"
