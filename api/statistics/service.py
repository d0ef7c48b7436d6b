"""Taking reports, releasing a window's figures once, and reading them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from api.problems import Problem, ProblemError
from api.statistics import repository
from api.statistics.repository import Figure, Report, WindowState
from models.domain.consent import Purpose
from models.domain.statistic import METRICS, REPORTS_BEFORE_RELEASE, Metric, metrics_agreed_to
from models.domain.window import Window, open_window
from models.privacy.local_randomiser import Answer, LocalRandomiser


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
    connection: Connection, device_id: str, report: Report, text_version: str | None, now: datetime
) -> None:
    """Store a device's randomised answer for a window. The same report again changes nothing.

    Args:
        connection: In a writing transaction.
        device_id: Whose report it is.
        report: Of the form that the domain gives its metric.
        text_version: Of the consent text that its person agreed to.
        now: With its time zone.

    Raises:
        ProblemError: The text doesn't name the question, the window isn't open, or the device gave another report.
    """
    _require_agreement(report.metric, text_version)
    if report.window == open_window(now) and repository.insert_report(connection, device_id, report):
        return
    _require_open(connection, report.window, now)
    if repository.insert_report(connection, device_id, report):
        return
    if repository.find_report(connection, device_id, report.window) != report:
        raise ProblemError(
            Problem.REPORT_CONFLICT,
            "a device answers once a window: send the report that was made first",
            window=report.window.name,
        )


def release_window(connection: Connection, window: Window, now: datetime, *, early: bool = False) -> ClosedWindow:
    """Close a window for good: fold its reports into frozen figures and delete them.

    A question with too few answers gets no figure. On its fixed day a window in which that is so of every question is
    closed without figures. Closed early, which gives no more than one look either, it stays open in that case.

    Args:
        connection: In a writing transaction.
        window: The week to release.
        now: With its time zone.
        early: Do not wait for the day on the calendar; reports that are still to come are lost.

    Raises:
        ProblemError: It is too early, or no question has enough answers for the window to be closed early.
    """
    state = repository.lock_window(connection, window, exclusive=True)
    if state is not WindowState.OPEN:
        raise ProblemError(Problem.WINDOW_NOT_DUE, f"{window.name} was closed before: it is {state.value}")
    if now < window.collected_until and not early:
        raise ProblemError(
            Problem.WINDOW_NOT_DUE, f"{window.name} takes reports until {window.collected_until.isoformat()}"
        )
    answered = repository.count_answers(connection, window)
    most = max((tally.total() for tally in answered.values()), default=0)
    if most < REPORTS_BEFORE_RELEASE and early:
        raise ProblemError(
            Problem.WINDOW_NOT_DUE,
            f"no question of {window.name} has the {REPORTS_BEFORE_RELEASE} answers that it needs: {most} at most",
        )
    return _close(connection, window, answered, now)


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
    if window is None:
        figure = repository.newest_figure(connection, metric)
    else:
        figure = repository.find_figure(connection, window, metric)
    if figure is None:
        raise ProblemError(Problem.NOT_RELEASED, _why_not_released(connection, window))
    return figure


def _require_agreement(metric: str, text_version: str | None) -> None:
    """Let only questions pass that the consent text names: for new items there has to be a new consent (PIPA 15(2))."""
    if text_version is None or METRICS[metric] not in metrics_agreed_to(text_version):
        raise ProblemError(
            Problem.CONSENT_MISSING,
            f"the text that was consented to doesn't name {metric}: show the one in force and ask again",
            purpose=Purpose.STATISTICS.value,
        )


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
    connection: Connection, window: Window, answered: Mapping[str, Counter[Answer]], now: datetime
) -> ClosedWindow:
    enough = [metric for metric in METRICS.values() if answered[metric.name].total() >= REPORTS_BEFORE_RELEASE]
    for metric in enough:
        repository.insert_figure(connection, _fold(window, metric, answered[metric.name]))
    state = WindowState.RELEASED if enough else WindowState.WITHHELD
    total = sum(tally.total() for tally in answered.values())
    repository.close_window(connection, window, state, total, int(now.timestamp()))
    return ClosedWindow(window, state, total)


def _fold(window: Window, metric: Metric, answers: Counter[Answer]) -> Figure:
    randomiser = LocalRandomiser(metric.values, metric.epsilon)
    counts = {value: sum(count for answer, count in answers.items() if value in answer) for value in randomiser.values}
    estimates = randomiser.estimate(counts, answers.total())
    return Figure(window, metric.name, metric.epsilon, answers.total(), counts, estimates)


def _why_not_released(connection: Connection, window: Window | None) -> str:
    if window is None:
        return "no window was released yet that answers this"
    if repository.state_of(connection, window) in (WindowState.RELEASED, WindowState.WITHHELD):
        return f"{window.name} had fewer than {REPORTS_BEFORE_RELEASE} answers to this; they are destroyed"
    due = window.collected_until.isoformat()
    return f"{window.name} is released after {due}, from {REPORTS_BEFORE_RELEASE} answers on"
