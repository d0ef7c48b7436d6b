"""Listening: which socket, under which protection, and how it ends."""

from __future__ import annotations

import ipaddress
import os
import signal
import socket
import ssl
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import uvicorn
from fastapi import FastAPI

from api.http_protocol import BoundedProtocol
from api.keys import require_private
from api.limits import LARGEST_HEADERS
from api.settings import Binding
from models.errors import BadInputError, RefusedError, UnreachableError

GRACE_SECONDS = 10
"""How long requests that run may go on after the signal to end."""


def open_socket(binding: Binding) -> socket.socket:
    """Return a listening socket.

    Raises:
        RefusedError: Plain HTTP was asked for on an address that others reach.
        UnreachableError: The address isn't there or the port is taken.
    """
    family, address = _resolve(binding)
    if binding.certificate is None and not ipaddress.ip_address(address[0].partition("%")[0]).is_loopback:
        raise RefusedError(f"plain HTTP is for loopback only, not {binding.host}: give --tls-cert and --tls-key")
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(2048)
    except OSError as error:
        listener.close()
        raise UnreachableError(f"can't listen on {binding.host} port {binding.port}: {error.strerror}") from None
    return listener


def url_of(listener: socket.socket, binding: Binding) -> str:
    """Return the address that clients reach a listening socket by."""
    scheme = "http" if binding.certificate is None else "https"
    host = f"[{binding.host}]" if ":" in binding.host else binding.host
    return f"{scheme}://{host}:{listener.getsockname()[1]}"


def stop_with_input() -> None:
    """End this process, as SIGTERM would, when its standard input ends."""
    descriptor = sys.stdin.fileno()

    def wait() -> None:
        # Past the buffer, whose lock a thread that reads would still hold when the interpreter ends, which aborts then.
        while os.read(descriptor, 4096):
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, daemon=True).start()


def serve(app: FastAPI, listener: socket.socket, binding: Binding, on_ready: Callable[[], None]) -> None:
    """Serve until a signal ends it; requests that run are answered first.

    Args:
        app: The application.
        listener: A listening socket; it is closed at the end.
        binding: As the socket was opened with.
        on_ready: Called once, when requests are being answered.

    Raises:
        BadInputError: The certificate or its key can't be used.
        RefusedError: Others than its owner may read the key.
    """
    # The server hands the signal on when it has ended; by then there is nothing left to end.
    signal.signal(signal.SIGTERM, _ended)
    _Server(configuration(app, binding), on_ready).run([listener])


def configuration(app: FastAPI, binding: Binding) -> uvicorn.Config:
    """Return how an application is served.

    Raises:
        BadInputError: The certificate or its key can't be used.
        RefusedError: Others than its owner may read the key.
    """
    return uvicorn.Config(
        app,
        http=BoundedProtocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,  # it would write addresses
        proxy_headers=binding.proxy is not None,
        forwarded_allow_ips=binding.proxy or "",
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
        h11_max_incomplete_event_size=LARGEST_HEADERS,
        ssl_context_factory=_tls_factory(binding.certificate),
    )


class _Server(uvicorn.Server):
    """Says when it is ready."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._on_ready()


def _ended(_number: int, _frame: FrameType | None) -> None:
    return None


def _resolve(binding: Binding) -> tuple[socket.AddressFamily, tuple[str, int]]:
    try:
        found = socket.getaddrinfo(binding.host, binding.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError:
        raise UnreachableError(f"there is no address {binding.host} to listen on") from None
    family, _, _, _, address = found[0]
    return family, (str(address[0]), int(address[1]))


def _tls_factory(
    certificate: tuple[Path, Path] | None,
) -> Callable[[uvicorn.Config, Callable[[], ssl.SSLContext]], ssl.SSLContext] | None:
    if certificate is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        require_private(certificate[1])
        context.load_cert_chain(*certificate)
    except (OSError, ssl.SSLError):
        raise BadInputError(f"{certificate[0]} and its key can't be used as a TLS certificate") from None
    return lambda _config, _default: context
