"""A TCP proxy on loopback that keeps every byte that crosses it, both ways."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit


class RecordingProxy:
    """Forwards connections to one address; ``crossed`` holds all bytes, connection by connection and way by way."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._streams: list[bytearray] = []
        self._target = ("", 0)

    def before(self, url: str) -> str:
        """Start forwarding to a server and return the address to use in its place."""
        parts = urlsplit(url)
        self._target = (parts.hostname or "", parts.port or 0)
        threading.Thread(target=self._accept, daemon=True).start()
        return f"{parts.scheme}://127.0.0.1:{self._listener.getsockname()[1]}"

    @property
    def crossed(self) -> list[bytes]:
        """Every stream of bytes so far."""
        return [bytes(stream) for stream in self._streams]

    def close(self) -> None:
        """Take no more connections."""
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._target)
                for source, sink in ((client, server), (server, client)):
                    stream = bytearray()
                    self._streams.append(stream)
                    threading.Thread(target=_forward, args=(source, sink, stream), daemon=True).start()


@contextmanager
def recording_proxy() -> Iterator[RecordingProxy]:
    """Yield a proxy and close it afterwards."""
    proxy = RecordingProxy()
    try:
        yield proxy
    finally:
        proxy.close()


def _forward(source: socket.socket, sink: socket.socket, stream: bytearray) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            stream += data
            sink.sendall(data)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
