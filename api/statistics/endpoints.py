"""Statistics over HTTP: randomised reports in, estimates out, both for devices that consented."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query

from api.auth.door import CONSENTED, StatisticsDoor
from api.documentation import SIGNED_OPERATION, problems
from api.problems import Problem, ProblemError
from api.statistics import repository, service
from api.statistics.repository import Figure, WindowState
from api.statistics.schemas import EstimateAnswer, FigureAnswer, ReportAnswer, ReportRequest, WindowName, WindowsAnswer
from models.domain.window import Window, open_window
from models.errors import BadInputError

router = APIRouter(prefix="/v1/statistics", tags=["statistics"])

MetricName = Annotated[str, Path(pattern=r"^[a-z_]{1,32}$", examples=["verdict"])]


@router.post(
    "/reports",
    responses=CONSENTED
    | problems(Problem.REPORT_CONFLICT, Problem.WINDOW_NOT_OPEN, Problem.MALFORMED, Problem.INVALID),
    openapi_extra=SIGNED_OPERATION,
)
def send_report(report: ReportRequest, door: StatisticsDoor) -> ReportAnswer:
    """Report on the window that is open. Sent again unchanged, the answer is the same."""
    window = _parse_window(report.window)
    with door.open() as call:
        service.accept_report(call.connection, call.device_id, window, report.answers.by_metric, call.now)
    return ReportAnswer(window=window.name, collected_until=window.collected_until)


@router.get("/windows", responses=CONSENTED, openapi_extra=SIGNED_OPERATION)
def list_windows(door: StatisticsDoor) -> WindowsAnswer:
    """The window that reports are taken for, and those whose figures are released."""
    with door.open() as call:
        released = repository.windows_in_state(call.connection, WindowState.RELEASED)
        window = open_window(call.now)
    return WindowsAnswer(
        open=window.name, collected_until=window.collected_until, released=[found.name for found in released]
    )


@router.get(
    "/{metric}",
    responses=CONSENTED | problems(Problem.NOT_FOUND, Problem.NOT_RELEASED, Problem.INVALID),
    openapi_extra=SIGNED_OPERATION,
)
def read_figure(
    metric: MetricName, door: StatisticsDoor, window: Annotated[WindowName | None, Query()] = None
) -> FigureAnswer:
    """A released figure; the newest one where no window is named."""
    week = None if window is None else _parse_window(window)
    with door.open() as call:
        figure = service.read_figure(call.connection, metric, week)
    return _answer(figure)


def _answer(figure: Figure) -> FigureAnswer:
    return FigureAnswer(
        metric=figure.metric,
        window=figure.window.name,
        epsilon=figure.epsilon,
        reports=figure.reports,
        confidence=0.95,
        estimates={value: EstimateAnswer.model_validate(estimate) for value, estimate in figure.estimates.items()},
    )


def _parse_window(name: str) -> Window:
    try:
        return Window.parse(name)
    except BadInputError as error:
        raise ProblemError(Problem.INVALID, str(error)) from None
