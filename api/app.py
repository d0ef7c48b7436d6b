"""The application: endpoints, limits and error answers put together."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from prometheus_client import CollectorRegistry
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, RedirectResponse

from api import health
from api.audit.endpoints import router as audit
from api.consents.endpoints import router as consents
from api.context import Context, open_context
from api.dashboard.app import create_dashboard
from api.devices.endpoints import router as devices
from api.documentation import DESCRIPTION, VERSION, describe
from api.guardians.endpoints import router as guardians
from api.limits import FaultBarrier, RequestLimits, body_of
from api.metrics.endpoints import router as metrics
from api.metrics.requests import Measured, RequestMetrics
from api.metrics.state import StateMetrics
from api.operator.endpoints import router as operator
from api.orders.endpoints import router as orders
from api.people.endpoints import router as people
from api.problems import MEDIA_TYPE, Problem, ProblemError, problem_document
from api.releases.endpoints import router as releases
from api.settings import Settings
from api.statistics.endpoints import operator_router as operator_statistics
from api.statistics.endpoints import router as statistics
from api.upkeep import keep_up

_log = logging.getLogger("hearsay.api")


def create_app(settings: Settings) -> FastAPI:
    """Return the application. The database is opened with the first request, and upkeep runs while it is served."""
    context = open_context(settings)
    app = FastAPI(
        title="Hearsay",
        version=VERSION,
        description=DESCRIPTION,
        docs_url=None,  # it would load scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
        lifespan=_lifespan,
    )
    app.state.context = context
    for router in (
        statistics,  # first, as they are looked through in order and most requests are reports
        people,
        devices,
        consents,
        guardians,
        operator_statistics,
        releases,
        orders,
        operator,
        audit,
        health.router,
        metrics,
    ):
        app.include_router(router)
    app.mount("/operator", create_dashboard(context))
    app.add_route("/operator", lambda _: RedirectResponse("/operator/", 308), include_in_schema=False)
    _answer_errors(app)
    app.add_middleware(RequestLimits)
    app.add_middleware(FaultBarrier)
    _measure(app, context)
    app.openapi = lambda: describe(app)  # type: ignore[method-assign]  # FastAPI's documented way
    return app


def _measure(app: FastAPI, context: Context) -> None:
    app.state.metrics = CollectorRegistry()
    app.state.metrics.register(StateMetrics(context))
    app.add_middleware(Measured, metrics=RequestMetrics(app.state.metrics))


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    context: Context = app.state.context
    upkeep = asyncio.create_task(keep_up(context))
    try:
        yield
    finally:
        upkeep.cancel()
        await asyncio.gather(upkeep, return_exceptions=True)
        context.engine.dispose()


def _answer_errors(app: FastAPI) -> None:
    answers: dict[type[Exception], Callable[[Request, Any], JSONResponse]] = {
        ProblemError: _answer_problem,
        HTTPException: _answer_http_exception,
        RequestValidationError: _answer_invalid,
        DBAPIError: _answer_database,
        PoolTimeoutError: _answer_database,
    }
    for error, answer in answers.items():
        app.add_exception_handler(error, answer)


def _answer_problem(_: Request, error: ProblemError) -> JSONResponse:
    response = _answer(error.problem, error.detail, **error.members)
    if error.problem in (Problem.TOKEN_REFUSED, Problem.LOGIN_REFUSED, Problem.SESSION_OVER):
        response.headers["WWW-Authenticate"] = "Bearer"
    response.headers.update(error.headers)
    return response


def _answer_http_exception(_: Request, error: HTTPException) -> JSONResponse:
    problem = Problem.of_status(error.status_code)
    response = _answer(problem, problem.title)
    response.headers.update(error.headers or {})
    return response


def _answer_invalid(request: Request, error: RequestValidationError) -> JSONResponse:
    """Name the fields and the rules they break, never what was sent: it might be somebody's call."""
    if _is_of_another_type(request) and any(found["loc"][:1] == ("body",) for found in error.errors()):
        return _answer(Problem.MEDIA_TYPE_UNKNOWN, "send the body as application/json")
    errors = [{"field": _field(found), "rule": found["type"]} for found in error.errors()]
    return _answer(Problem.INVALID, "compare the request with /openapi.json", errors=errors[:20])


def _is_of_another_type(request: Request) -> bool:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    is_json = media_type == "application/json" or (media_type.startswith("application/") and media_type[-5:] == "+json")
    return bool(body_of(request)) and not is_json


def _field(found: dict[str, Any]) -> str:
    # The name of a field that isn't ours was chosen by the sender, so it is left out.
    place = found["loc"][:-1] if found["type"] == "extra_forbidden" else found["loc"]
    return ".".join(str(part) for part in place)


def _answer_database(_: Request, error: Exception) -> JSONResponse:
    _log.error("database: %s", type(error).__name__)
    response = _answer(Problem.DATABASE_UNAVAILABLE, "nothing was changed: try again later")
    response.headers["Retry-After"] = "5"
    return response


def _answer(problem: Problem, detail: str, **members: Any) -> JSONResponse:
    return JSONResponse(problem_document(problem, detail, **members), problem.status, media_type=MEDIA_TYPE)
