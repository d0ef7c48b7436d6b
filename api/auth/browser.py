"""The door that operators' browsers come through: a session in a cookie that no script and no other site can use.

The session is one of the person's: it is listed among them, and ends with a logout everywhere or a new password. Its
secret is hashed under a name of its own, so that it is no refresh token, and a refresh token is no cookie.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

from fastapi import Request
from sqlalchemy import Connection
from starlette.responses import Response

from api.auth.bearer import PersonCall
from api.context import context_of
from api.database import transaction
from api.people import repository
from api.people.repository import Role, StoredSession
from api.problems import Problem, ProblemError

COOKIE = "__Host-hearsay-operator"
"""The prefix makes browsers hold it to this host, to TLS (or loopback) and to every path (RFC 6265bis, 4.1.3.2)."""

BROWSER_SECONDS = 8 * 3600
"""How long a browser stays logged in, used or not."""

_ID_BYTES = 16
_SECRET_BYTES = 32
_FORM = re.compile(r"([0-9a-f]{32})\.([A-Za-z0-9_-]{43})")


@dataclass(frozen=True, slots=True, repr=False)
class BrowserCall:
    """A page's request by an operator, inside its transaction.

    Attributes:
        call: As behind the door of access tokens.
        form_token: What a form of this session must carry; another site can't know it.
    """

    call: PersonCall
    form_token: str


def start_browser_session(connection: Connection, person_id: str, now: int) -> str:
    """Begin a session and return the cookie's value. Sensitive: whoever has it is the operator."""
    session_id, secret = secrets.token_hex(_ID_BYTES), secrets.token_urlsafe(_SECRET_BYTES)
    repository.add_session(connection, StoredSession(session_id, person_id, _hash(secret), now, now + BROWSER_SECONDS))
    return f"{session_id}.{secret}"


def set_cookie(response: Response, value: str) -> None:
    """Hand the cookie to the browser."""
    response.set_cookie(COOKIE, value, max_age=BROWSER_SECONDS, path="/", secure=True, httponly=True, samesite="strict")


def clear_cookie(response: Response) -> None:
    """Take the cookie away from the browser."""
    response.delete_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="strict")


@contextmanager
def open_browser(request: Request, *, write: bool = False) -> Iterator[BrowserCall]:
    """Let an operator's page in, for one transaction.

    Raises:
        ProblemError: There is no cookie, its session is over, or its person is no operator.
    """
    context = context_of(request)
    session_id, secret = _parse_cookie(request.cookies.get(COOKIE, ""))
    now = context.settings.now
    with transaction(context.engine, write=write) as connection:
        session = repository.find_session(connection, session_id)
        if session is None or not hmac.compare_digest(session.token_hash, _hash(secret)):
            raise ProblemError(Problem.TOKEN_REFUSED, "log in")
        role = repository.role_in_session(connection, session.person_id, session_id, int(now.timestamp()))
        if role is not Role.OPERATOR:
            raise ProblemError(Problem.TOKEN_REFUSED, "log in as an operator")
        yield BrowserCall(PersonCall(connection, session.person_id, session_id, role, now), _form_token(secret))


def require_same_site(request: Request) -> None:
    """Refuse a form that another site sent; browsers say where a form comes from and scripts can't make them lie.

    Raises:
        ProblemError: It comes from elsewhere, or the browser doesn't say.
    """
    # Pages send no referrer, so that an Origin beside Sec-Fetch-Site is "null" (Fetch, 3.1).
    said = request.headers.get("sec-fetch-site")
    same_host = urlsplit(request.headers.get("origin", "")).netloc == request.headers.get("host")
    if not (said == "same-origin" or (said is None and same_host)):
        raise ProblemError(Problem.FORM_REFUSED, "the form was sent from another site")


def require_form_token(browser: BrowserCall, token: str) -> None:
    """Refuse a form that wasn't made for this session.

    Raises:
        ProblemError: Its token is another session's, or none.
    """
    if not hmac.compare_digest(browser.form_token.encode(), token.encode()):
        raise ProblemError(Problem.FORM_REFUSED, "the form belongs to another login: open the page again")


def _parse_cookie(value: str) -> tuple[str, str]:
    match = _FORM.fullmatch(value)
    if match is None:
        raise ProblemError(Problem.TOKEN_REFUSED, "log in")
    return match[1], match[2]


def _form_token(secret: str) -> str:
    return hmac.digest(secret.encode(), b"hearsay form/1", "sha256").hex()


def _hash(secret: str) -> str:
    return hashlib.sha256(b"hearsay browser/1 " + secret.encode()).hexdigest()
