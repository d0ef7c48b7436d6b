"""The dashboard as an application of its own below ``/operator``: pages for browsers, with errors as pages."""

from __future__ import annotations

import logging
from importlib.resources import files

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.context import Context
from api.dashboard import forms, pages
from api.dashboard.rendering import compile_templates, render
from api.dashboard.wording import problem_text
from api.problems import Problem, ProblemError

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
"""Nothing inline, nothing from outside, no frame around it, no script made from text."""

_HEADERS = (
    (b"content-security-policy", CONTENT_SECURITY_POLICY.encode()),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
)
_log = logging.getLogger("hearsay.api")


def create_dashboard(context: Context) -> FastAPI:
    """Return the dashboard, to be mounted at ``/operator``."""
    compile_templates()
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    app.state.context = context
    app.include_router(pages.router)
    app.include_router(forms.router)
    app.mount("/static/page", StaticFiles(directory=str(files("models.page").joinpath("templates"))), "page")
    app.mount("/static", StaticFiles(directory=str(files("api.dashboard").joinpath("static"))), "static")
    for error, answer in (
        (ProblemError, _answer_problem),
        (HTTPException, _answer_http_exception),
        (RequestValidationError, _answer_invalid),
        (DBAPIError, _answer_database),
        (PoolTimeoutError, _answer_database),
    ):
        app.add_exception_handler(error, answer)  # type: ignore[arg-type]  # each takes the errors it is given for
    app.add_middleware(PageHeaders)
    return app


class PageHeaders:
    """Adds to every answer what browsers hold a page to."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *_HEADERS]
            await send(message)

        await self._app(scope, receive, send_with_headers)


def _answer_problem(request: Request, error: ProblemError) -> Response:
    if error.problem is Problem.TOKEN_REFUSED:
        return RedirectResponse("/operator/login", 303)
    return render(request, "problem.html.j2", error.problem.status, error=problem_text(error))


def _answer_http_exception(request: Request, error: HTTPException) -> Response:
    return _answer_problem(request, ProblemError(Problem.of_status(error.status_code), "no such page"))


def _answer_invalid(request: Request, _: RequestValidationError) -> Response:
    return _answer_problem(request, ProblemError(Problem.INVALID, "the form isn't filled in as it should be"))


def _answer_database(request: Request, error: Exception) -> Response:
    _log.error("database: %s", type(error).__name__)
    return _answer_problem(request, ProblemError(Problem.DATABASE_UNAVAILABLE, "try again later"))
