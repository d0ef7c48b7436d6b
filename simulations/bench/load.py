"""A load of HTTP requests on kept-alive connections: each sends its next request as soon as it was answered."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence

import httpx

_Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class NotAnsweredError(Exception):
    """A request of the load was answered by an error, or not at all."""


class Load:
    """Connections to one server, open until the end of the ``with`` block.

    Args:
        url: Of the server, ``http://HOST:PORT``.
        connections: How many are kept alive.
    """

    def __init__(self, url: str, connections: int) -> None:
        self._url, self._count = httpx.URL(url), connections
        self._runner = asyncio.Runner()

    def __enter__(self) -> Load:
        """Open the connections."""
        self._streams = self._runner.run(self._open())
        return self

    def __exit__(self, *_: object) -> None:
        """Close them."""
        for _reader, writer in self._streams:
            writer.close()
        self._runner.close()

    def send(self, requests: Sequence[bytes]) -> None:
        """Send requests, each on the connection that is free first, and return when all are answered.

        Raises:
            NotAnsweredError: One was not answered with status 200.
        """
        self._runner.run(self._send(iter(requests)))

    async def _open(self) -> list[_Stream]:
        opening = (asyncio.open_connection(self._url.host, self._url.port) for _ in range(self._count))
        return list(await asyncio.gather(*opening))

    async def _send(self, waiting: Iterator[bytes]) -> None:
        async with asyncio.TaskGroup() as sending:
            for stream in self._streams:
                sending.create_task(_send_one_by_one(stream, waiting))


def as_sent(request: httpx.Request) -> bytes:
    """Return a request as it crosses the wire (RFC 9112)."""
    lines = [b"POST " + request.url.raw_path + b" HTTP/1.1", *(b": ".join(field) for field in request.headers.raw)]
    return b"\r\n".join([*lines, b"", b""]) + request.content


async def _send_one_by_one(stream: _Stream, waiting: Iterator[bytes]) -> None:
    reader, writer = stream
    for request in waiting:
        writer.write(request)
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            body = await reader.readexactly(_length(head))
        except (OSError, asyncio.IncompleteReadError) as error:
            raise NotAnsweredError(type(error).__name__) from error
        if not head.startswith(b"HTTP/1.1 200 "):
            raise NotAnsweredError(f"{head.splitlines()[0].decode()}: {body.decode()}")


def _length(head: bytes) -> int:
    _, _, rest = head.lower().partition(b"content-length:")
    return int(rest.partition(b"\r\n")[0] or 0)
