"""Connections to the API, and what its refusals become on a device. It imports no torch."""

from __future__ import annotations

import ssl
from collections.abc import Hashable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

import httpx
from pydantic import TypeAdapter, ValidationError

from fl_client.certificates import trusted_certificates
from models.errors import (
    ConsentRefusedError,
    HearsayError,
    RefusedError,
    SignatureRefusedError,
    UnreachableError,
    UsageError,
)

TIMEOUT_SECONDS = 10.0

_LOOPBACK = ("localhost", "127.0.0.1", "::1")

_Answer = TypeVar("_Answer")


class ReportRefusedError(RefusedError):
    """The API takes no report for that window, or has another one of this device."""


class NotReleasedError(RefusedError):
    """There is no figure for that window: it is not its day yet, or too few devices reported."""


class GuardianMissingError(ConsentRefusedError):
    """A child under 14 needs a guardian's verified consent."""


class LoginRefusedError(RefusedError):
    """Name and password don't belong together."""


class SessionOverError(LoginRefusedError):
    """Log in again: the session was ended, or its time is over."""


class TokenRefusedError(LoginRefusedError):
    """The access token is refused; refreshing may help."""


def open_connection(url: str, ca_file: Path | None = None) -> httpx.Client:
    """Return connections to the API at an address. Many devices of a simulation may share them.

    Args:
        url: Such as ``https://api.example.org``; plain HTTP on loopback only.
        ca_file: Certificates to trust instead of the system's.

    Raises:
        UsageError: The address is no address, or plain HTTP beyond loopback.
        BadInputError: The certificates can't be read.
    """
    try:
        host, scheme = httpx.URL(url).host, httpx.URL(url).scheme
    except httpx.InvalidURL:
        host, scheme = "", ""
    if scheme not in ("http", "https") or not host:
        raise UsageError("expected the API's address as https://HOST or, on loopback, http://HOST:PORT")
    if scheme == "http" and host not in _LOOPBACK:
        raise UsageError(f"plain HTTP is for loopback only, not {host}: use https")
    return httpx.Client(
        base_url=url,
        timeout=TIMEOUT_SECONDS,
        verify=trusted_certificates(ca_file) if scheme == "https" else False,
        trust_env=host not in _LOOPBACK,
        follow_redirects=False,
    )


def _why_unreachable(error: httpx.HTTPError) -> str:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return "the API's certificate isn't trusted: name the authority that signed it with --ca-file"
        cause = cause.__cause__ or cause.__context__
    return f"the API doesn't answer: {type(error).__name__}"


def send(connection: httpx.Client, method: str, path: str, **content: Any) -> httpx.Response:
    """Send a request and return its answer, if it is one that carries it out.

    Raises:
        UnreachableError: The API doesn't answer or can't carry the request out now.
        RefusedError: It says no; the error's type says why.
    """
    try:
        response = connection.request(method, path, **content)
    except httpx.HTTPError as error:
        raise UnreachableError(_why_unreachable(error)) from None
    if response.is_success:
        return response
    raise _error_of(response)


def understand(form: type[_Answer], response: httpx.Response) -> _Answer:
    """Return an answer in the form that was expected.

    Raises:
        UnreachableError: It hasn't that form, so it isn't our API's.
    """
    try:
        answer: _Answer = _adapter(cast(Hashable, form)).validate_json(response.content)
    except ValidationError:
        raise UnreachableError(NOT_UNDERSTOOD) from None
    return answer


NOT_UNDERSTOOD = "the API's answer is not one that this client understands"

_ERRORS: Mapping[str, type[HearsayError]] = {
    "signature-refused": SignatureRefusedError,
    "clock-skew": SignatureRefusedError,
    "nonce-replayed": SignatureRefusedError,
    "consent-missing": ConsentRefusedError,
    "guardian-missing": GuardianMissingError,
    "login-refused": LoginRefusedError,
    "password-wrong": LoginRefusedError,
    "session-over": SessionOverError,
    "token-refused": TokenRefusedError,
    "report-conflict": ReportRefusedError,
    "window-not-open": ReportRefusedError,
    "figure-not-released": NotReleasedError,
    "no-release": NotReleasedError,
}


def _error_of(response: httpx.Response) -> HearsayError:
    problem = _problem_of(response)
    slug = str(problem.get("type", "")).rpartition("/")[2]
    said = str(problem.get("detail") or f"HTTP status {response.status_code}")
    if response.is_server_error:
        return UnreachableError(f"the API can't carry the request out: {said}")
    return _ERRORS.get(slug, RefusedError)(said)


def _problem_of(response: httpx.Response) -> dict[str, Any]:
    try:
        problem = response.json()
    except ValueError:
        return {}
    return problem if isinstance(problem, dict) else {}


@cache
def _adapter(form: Hashable) -> TypeAdapter[Any]:
    return TypeAdapter(cast(Any, form))
