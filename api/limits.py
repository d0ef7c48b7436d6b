"""What every request is held to before any of our code sees it, and what happens when that code fails."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from typing import Any, cast

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import MEDIA_TYPE, Problem, problem_document

LARGEST_HEADERS = 32 * 1024
"""Bytes of all header fields of one request."""

HEADERS_REFUSED = f"expected HTTP/1.1, with header fields of at most {LARGEST_HEADERS} bytes"

LARGEST_BODY = 16 * 1024
"""Bytes of the largest body that any endpoint takes."""

BODY_SECONDS = 10.0
"""How long a body may take to arrive."""

_BODY = "hearsay.body"
_log = logging.getLogger("hearsay.api")

_SECURITY_HEADERS = ((b"x-content-type-options", b"nosniff"), (b"referrer-policy", b"no-referrer"))
_STRICT_TRANSPORT = (b"strict-transport-security", b"max-age=31536000")  # RFC 6797: never sent in clear
_NOT_STORED = (b"cache-control", b"no-store")

Header = tuple[bytes, bytes]


def security_headers(scheme: str) -> tuple[Header, ...]:
    """Return what every answer over a scheme carries."""
    return (*_SECURITY_HEADERS, _STRICT_TRANSPORT) if scheme == "https" else _SECURITY_HEADERS


def body_of(request: Request) -> bytes:
    """Return the whole body, exactly as it was sent."""
    return cast(bytes, request.scope[_BODY])


class RequestLimits:
    """Bounds the header fields, and reads the body whole, bounded in bytes and seconds, before anything is decided."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read the body, then pass the request on."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        # What arrives in one piece is parsed before the server bounds it.
        if sum(len(name) + len(value) + 4 for name, value in scope["headers"]) > LARGEST_HEADERS:
            return await _answer(Problem.MALFORMED, HEADERS_REFUSED, scope, receive, send)
        if (refusal := _refuse_framing(scope["headers"])) is not None:
            return await _answer(*refusal, scope, receive, send)
        try:
            async with asyncio.timeout(BODY_SECONDS):
                body = await _read_body(receive)
        except TimeoutError:
            return await _answer(Problem.TOO_SLOW, f"expected the body within {BODY_SECONDS:g} s", scope, receive, send)
        except _ClientGoneError:
            return None
        if body is None:
            return await _answer(*_TOO_LARGE, scope, receive, send)
        scope[_BODY] = body
        return await self._app(scope, _replay(body, receive), send)


class FaultBarrier:
    """Turns whatever nobody caught into a problem document; the log names the place, never the values."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and answer for what fails."""
        started = False

        async def send_with_headers(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                message["headers"] = _completed(message.get("headers", ()), scope.get("scheme", "http"))
            await send(message)

        try:
            await self._app(scope, receive, send_with_headers)
        except Exception as error:
            _log.error("fault: %s at %s", type(error).__name__, _place(error))
            if not started:
                await _answer(Problem.FAULT, "the request was not carried out", scope, receive, send_with_headers)


_TOO_LARGE = (Problem.BODY_TOO_LARGE, f"expected at most {LARGEST_BODY} bytes")
_FRAMED_TWICE = (Problem.MALFORMED, "expected Content-Length or Transfer-Encoding, not both")


def _refuse_framing(headers: Iterable[Header]) -> tuple[Problem, str] | None:
    """Say what is wrong with how a body is announced, before any of it is waited for."""
    announced = {name: value for name, value in headers if name in (b"content-length", b"transfer-encoding")}
    if len(announced) == 2:  # a proxy in front may have believed the other one (RFC 9112, 6.3 and 11.2)
        return _FRAMED_TWICE
    return _TOO_LARGE if int(announced.get(b"content-length", 0)) > LARGEST_BODY else None


def _completed(headers: Iterable[Header], scheme: str) -> list[Header]:
    """Return an answer's headers with those that every answer carries.

    What neither names its version nor says how long it is good for is stored by nobody: it may be about a person.
    """
    given = list(headers)
    is_silent = not any(name in (b"cache-control", b"etag") for name, _ in given)
    return [*given, *security_headers(scheme), *([_NOT_STORED] if is_silent else ())]


class _ClientGoneError(Exception):
    """The client hung up in the middle of its body."""


async def _read_body(receive: Receive) -> bytes | None:
    """Return the body, ``None`` as soon as it is larger than allowed."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _ClientGoneError
        body += message.get("body", b"")
        if len(body) > LARGEST_BODY:
            return None
        if not message.get("more_body", False):
            return bytes(body)


def _replay(body: bytes, receive: Receive) -> Receive:
    sent = False

    async def replay() -> Message:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


async def _answer(problem: Problem, detail: str, scope: Scope, receive: Receive, send: Send) -> None:
    document: dict[str, Any] = problem_document(problem, detail)
    response = JSONResponse(document, problem.status, media_type=MEDIA_TYPE, headers={"Connection": "close"})
    await response(scope, receive, send)


def _place(error: Exception) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "?" if trace is None else f"{trace.tb_frame.f_code.co_qualname}:{trace.tb_lineno}"
