"""HTTP/1.1 on one connection: what is no request is answered by a problem document, and heads have a time to arrive."""

from __future__ import annotations

import asyncio
import json

import h11
from uvicorn.protocols.http.h11_impl import STATUS_PHRASES, H11Protocol

from api.limits import HEADERS_REFUSED, security_headers
from api.problems import MEDIA_TYPE, Problem, problem_document

HEAD_SECONDS = 10.0
"""How long the request line and the header fields of a request may take to arrive."""


class BoundedProtocol(H11Protocol):
    """uvicorn's protocol, which bounds a connection that idles but not one that sends its next head byte by byte."""

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Begin to wait for the first head."""
        super().connection_made(transport)
        self._await_head()

    def data_received(self, data: bytes) -> None:
        """Take bytes; whole heads become requests."""
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._stop_waiting()
        elif self._deadline is None:
            self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._stop_waiting()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """Say what was expected; the message says nothing of what came."""
        self._refuse(Problem.MALFORMED, HEADERS_REFUSED)

    def _await_head(self) -> None:
        self._deadline = self.loop.call_later(HEAD_SECONDS, self._refuse_slow_head)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _refuse_slow_head(self) -> None:
        self._refuse(Problem.TOO_SLOW, f"expected the header fields within {HEAD_SECONDS:g} s")

    def _refuse(self, problem: Problem, detail: str) -> None:
        if self.transport.is_closing():
            return
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):  # else an answer has begun, that can't be taken back
            self._answer(problem.status, json.dumps(problem_document(problem, detail)).encode())
        self.transport.close()

    def _answer(self, status: int, body: bytes) -> None:
        headers = [
            (b"content-type", MEDIA_TYPE.encode()),
            (b"content-length", str(len(body)).encode()),
            (b"connection", b"close"),
            *security_headers(self.scheme or "http"),
        ]
        response = h11.Response(status_code=status, headers=headers, reason=STATUS_PHRASES[status])
        for event in (response, h11.Data(data=body), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
