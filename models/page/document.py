"""A page as one HTML file that loads nothing and runs no script, in two languages and for light and dark."""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files
from typing import Any, Literal

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from models.domain.privacy import show_epsilon
from models.page.text import Text, decimal, file_size, percent, small

Language = Literal["en", "ko"]


def page_environment(package: str) -> Environment:
    """Return an environment over a package's templates and the shared ones, which are ``page`` and ``figure``.

    It escapes everything and refuses names it doesn't know.
    """
    environment = Environment(
        loader=ChoiceLoader([PackageLoader(package), PackageLoader("models.page")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["both"] = Text
    environment.filters |= {
        "decimal": decimal,
        "epsilon": show_epsilon,
        "percent": percent,
        "size": file_size,
        "small": small,
    }
    return environment


def render_page(environment: Environment, template: str, language: Language, **content: Any) -> str:
    """Render a template that extends ``page.html.j2``.

    The page is self-contained: its security policy allows its own style sheet and nothing else, no script and no
    request. Every text of the content is escaped. Equal content gives an equal page.

    Args:
        environment: Of `page_environment`.
        template: Its name.
        language: The language that the page opens in; the reader may switch to the other.
        content: What the template names.
    """
    style = files("models.page").joinpath("templates/style.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return environment.get_template(template).render(
        language=language,
        style=Markup(style),  # noqa: S704 - our own file
        style_hash=f"sha256-{digest}",
        **content,
    )
