"""Statistics over HTTP: randomised reports in, estimates out, for who consented; estimates for operators too."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from sqlalchemy import Connection

from api.auth.bearer import FOR_OPERATORS, Operator
from api.auth.door import CONSENTED, Door, StatisticsDoor
from api.context import context_of
from api.documentation import BEARER_OPERATION, SIGNED_OPERATION, problems
from api.problems import Problem, ProblemError
from api.statistics import repository, service
from api.statistics.repository import Figure, Report, WindowState
from api.statistics.schemas import EstimateAnswer, FigureAnswer, ReportAnswer, ReportRequest, WindowName, WindowsAnswer
from models.domain.window import Window, open_window
from models.errors import BadInputError

router = APIRouter(prefix="/v1/statistics", tags=["statistics"])

operator_router = APIRouter(prefix="/v1/operator/statistics", tags=["statistics"])

MetricName = Annotated[str, Path(pattern=r"^[a-z_]{1,32}$", examples=["verdict"])]


@router.post(
    "/reports",
    responses=CONSENTED | problems(Problem.REPORT_CONFLICT, Problem.WINDOW_NOT_OPEN, Problem.INVALID),
    openapi_extra=SIGNED_OPERATION,
)
async def send_report(report: ReportRequest, door: StatisticsDoor, request: Request) -> ReportAnswer:
    """Report on the window that is open. Sent again unchanged, the answer is the same."""
    # Reports are what most requests are, and come at the same time: they share their transactions.
    return await context_of(request).batches.run(partial(_accept, report, door))


@router.get("/windows", responses=CONSENTED, openapi_extra=SIGNED_OPERATION)
def list_windows(door: StatisticsDoor) -> WindowsAnswer:
    """The window that reports are taken for, and those whose figures are released."""
    with door.open() as call:
        return _calendar(call.connection, call.now)


@router.get(
    "/{metric}",
    responses=CONSENTED | problems(Problem.NOT_FOUND, Problem.NOT_RELEASED, Problem.INVALID),
    openapi_extra=SIGNED_OPERATION,
)
def read_figure(
    metric: MetricName, door: StatisticsDoor, window: Annotated[WindowName | None, Query()] = None
) -> FigureAnswer:
    """A released figure; the newest one where no window is named."""
    with door.open() as call:
        return _read(call.connection, metric, window)


@operator_router.get("/windows", responses=FOR_OPERATORS, openapi_extra=BEARER_OPERATION)
def list_windows_for_operators(operator: Operator) -> WindowsAnswer:
    """The same calendar, for operators."""
    with operator.open(write=False) as call:
        return _calendar(call.connection, call.now)


@operator_router.get(
    "/{metric}",
    responses=FOR_OPERATORS | problems(Problem.NOT_FOUND, Problem.NOT_RELEASED, Problem.INVALID),
    openapi_extra=BEARER_OPERATION,
)
def read_figure_for_operators(
    metric: MetricName, operator: Operator, window: Annotated[WindowName | None, Query()] = None
) -> FigureAnswer:
    """The same figure, for operators: they see no more than people do."""
    with operator.open(write=False) as call:
        return _read(call.connection, metric, window)


def _accept(report: ReportRequest, door: Door, connection: Connection) -> ReportAnswer:
    window = _parse_window(report.window)
    call = door.enter(connection)
    told = Report(window, report.metric, tuple(report.answer))
    service.accept_report(connection, call.device_id, told, call.text_version, call.now)
    return ReportAnswer(window=window.name, collected_until=window.collected_until)


def _calendar(connection: Connection, now: datetime) -> WindowsAnswer:
    released = repository.windows_in_state(connection, WindowState.RELEASED)
    window = open_window(now)
    is_open = repository.state_of(connection, window) in (None, WindowState.OPEN)
    return WindowsAnswer(
        open=window.name if is_open else None,
        collected_until=window.collected_until,
        released=[found.name for found in released],
    )


def _read(connection: Connection, metric: str, window: str | None) -> FigureAnswer:
    return _answer(service.read_figure(connection, metric, None if window is None else _parse_window(window)))


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
