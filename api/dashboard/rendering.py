"""Pages from templates, in the language that the reader chose."""

from __future__ import annotations

from datetime import datetime
from typing import Any, get_args

from jinja2 import Environment, pass_context
from jinja2.runtime import Context as TemplateContext
from starlette.requests import Request
from starlette.responses import HTMLResponse

from api.dashboard import wording
from api.moments import moment
from models.domain.window import KOREA
from models.page import wording as kinds
from models.page.document import Language, page_environment
from models.page.text import Text

LANGUAGE_COOKIE = "__Host-hearsay-language"
LANGUAGES: tuple[Language, ...] = get_args(Language)


def language_of(request: Request) -> Language:
    """Return the language that the reader chose, else the one that their browser asks for first."""
    chosen = request.cookies.get(LANGUAGE_COOKIE)
    for language in LANGUAGES:
        if chosen == language:
            return language
    return "ko" if request.headers.get("accept-language", "").lower().startswith("ko") else "en"


def render(request: Request, template: str, status: int = 200, **content: Any) -> HTMLResponse:
    """Return a page. All text of the content is escaped, and every `Text` is said in one language."""
    page = _ENVIRONMENT.get_template(template).render(
        language=language_of(request), words=wording, kinds=kinds, **content
    )
    return HTMLResponse(page, status)


def compile_templates() -> None:
    """Read and compile every template, so that no reader waits for it, and a broken one stops the start."""
    for name in _ENVIRONMENT.list_templates(filter_func=lambda name: name.endswith(".j2")):
        _ENVIRONMENT.get_template(name)


def _environment() -> Environment:
    environment = page_environment("api.dashboard")
    environment.finalize = _say
    environment.globals |= {"words": wording, "kinds": kinds}
    environment.filters |= {"moment": _moment, "signed_at": lambda seconds: _moment(moment(seconds))}
    return environment


@pass_context
def _say(context: TemplateContext, value: Any) -> Any:
    if not isinstance(value, Text):
        return value
    return value.ko if context["language"] == "ko" else value.en


def _moment(at: datetime) -> str:
    """Print a moment as clocks in Korea show it."""
    return at.astimezone(KOREA).strftime("%Y-%m-%d %H:%M KST")


_ENVIRONMENT = _environment()
