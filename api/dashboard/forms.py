"""What the operator's pages send: forms that no other site can send in the operator's name."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Form, Request
from starlette.responses import RedirectResponse, Response

from api.auth.browser import clear_cookie, open_browser, require_form_token, require_same_site, set_cookie
from api.context import context_of
from api.dashboard.rendering import LANGUAGE_COOKIE, render
from api.dashboard.wording import problem_text
from api.orders.operators import order_as_operator
from api.orders.schemas import PauseRequest, RolloutRequest
from api.orders.service import publish_orders
from api.people import repository
from api.people.service import log_in_operator
from api.problems import Problem, ProblemError
from api.security_events import SecurityEvent, record_event
from models.page.document import Language

router = APIRouter()

_SEE_OTHER = 303
_YEAR_SECONDS = 31_536_000

Page = Literal["login", "overview", "calls", "drift", "model", "rounds", "releases", "audit"]

Short = Annotated[str, Form(max_length=300)]
Token = Annotated[str, Form(max_length=64)]
Tag = Annotated[str, Form(max_length=64)]
Version = Annotated[int, Form(ge=1, le=2**53)]
Percent = Annotated[int, Form(ge=0, le=100)]


@router.post("/login")
def log_in(request: Request, name: Short, password: Short) -> Response:
    """Begin a browser's session."""
    require_same_site(request)
    answer: Response
    try:
        cookie = log_in_operator(context_of(request), name, password, _address(request))
    except ProblemError as error:
        answer = render(request, "login.html.j2", error.problem.status, error=problem_text(error))
        answer.headers.update(error.headers)
        return answer
    answer = _go("overview")
    set_cookie(answer, cookie)
    return answer


@router.post("/logout")
def log_out(request: Request, form_token: Token) -> Response:
    """End this session."""
    require_same_site(request)
    with open_browser(request, write=True) as browser:
        require_form_token(browser, form_token)
        call = browser.call
        repository.end_session(call.connection, call.person_id, call.session_id)
        record_event(call.connection, SecurityEvent.LOGGED_OUT, call.actor, call.now)
    answer = _go("login")
    clear_cookie(answer)
    return answer


@router.post("/language")
def choose_language(request: Request, language: Annotated[Language, Form()], page: Annotated[Page, Form()]) -> Response:
    """Show the pages in another language from now on."""
    require_same_site(request)
    answer = _go(page)
    answer.set_cookie(
        LANGUAGE_COOKIE, language, max_age=31_536_000, path="/", secure=True, httponly=True, samesite="lax"
    )
    return answer


@router.post("/orders/rollout")
def order_rollout(
    request: Request,
    form_token: Token,
    kind: Annotated[Literal["set-rollout", "roll-back"], Form()],
    version: Version,
    confirm: Version,
    rollout_percent: Percent,
    tag: Tag,
) -> Response:
    """Order a rollout or a rollback that was confirmed."""
    if confirm != version:
        raise ProblemError(Problem.INVALID, "the version was not confirmed")
    wanted = RolloutRequest(kind=kind, version=version, confirm=confirm, rollout_percent=rollout_percent)
    return _order(request, form_token, wanted, tag)


@router.post("/orders/pause")
def order_pause(
    request: Request, form_token: Token, kind: Annotated[Literal["pause", "resume"], Form()], tag: Tag
) -> Response:
    """Order that rounds pause, or go on."""
    return _order(request, form_token, PauseRequest(kind=kind), tag)


def _order(request: Request, form_token: str, wanted: RolloutRequest | PauseRequest, tag: str) -> Response:
    require_same_site(request)
    context = context_of(request)
    with open_browser(request, write=True) as browser:
        require_form_token(browser, form_token)
        order_as_operator(browser.call, context.settings.registry, wanted.wanted(), tag)
    publish_orders(context)
    return _go("releases")


def _go(page: Page) -> RedirectResponse:
    return RedirectResponse(f"/operator/{'' if page == 'overview' else page}", _SEE_OTHER)


def _address(request: Request) -> str:
    return "" if request.client is None else request.client.host
