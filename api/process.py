"""The API as a child process of its own, for simulations and tests that want the real thing on a real port."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from models.errors import UnreachableError

START_SECONDS = 120.0  # one that ends is told of at once; on a busy machine a sound one may take this long
STOP_SECONDS = 15.0


@contextmanager
def running_api(
    database_url: str,
    registry: Path,
    keys: Path,
    log: Path,
    port: int = 0,
    certificate: tuple[Path, Path] | None = None,
) -> Iterator[str]:
    """Start the API on loopback, yield its address when it answers, and stop it at the end.

    Args:
        database_url: Migrated.
        registry: May be empty.
        keys: Directory of the secret keys.
        log: File that the process's standard error goes to.
        port: 0 takes any free one.
        certificate: For 127.0.0.1, with its key; ``None`` speaks plain HTTP.

    Raises:
        UnreachableError: It didn't start; the log's last line says why.
    """
    command = [sys.executable, "-m", "api", "serve", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--plain-http"] if certificate is None else _tls_options(*certificate)
    # Whatever kills this process ends the API's standard input, and with it the API.
    command += ["--stop-with-input", "--database", database_url, "--registry", str(registry), "--keys", str(keys)]
    with running_server(command, log) as url:
        yield url


@contextmanager
def running_server(command: Sequence[str], log: Path) -> Iterator[str]:
    """Start a server of ours, yield the address that it prints as ``{"url": ...}``, and stop it at the end.

    Raises:
        UnreachableError: It didn't start; the log's last line says why.
    """
    with log.open("wb") as errors:
        process = subprocess.Popen(  # noqa: S603 - our own program, no shell
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, env=_environment()
        )
    try:
        yield _wait_for_address(process, log)
    finally:
        _stop(process)


def _tls_options(certificate: Path, key: Path) -> list[str]:
    return ["--tls-cert", str(certificate), "--tls-key", str(key)]


def _environment() -> dict[str, str]:
    root = str(Path(__file__).resolve().parent.parent)
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))}


def _wait_for_address(process: subprocess.Popen[bytes], log: Path) -> str:
    assert process.stdout is not None
    ready, _, _ = select.select([process.stdout], [], [], START_SECONDS)
    line = process.stdout.readline() if ready else b""
    if not line:
        said = log.read_text("utf-8", errors="replace").strip().splitlines()
        raise UnreachableError(f"the server didn't start: {said[-1] if said else 'it said nothing'}")
    return str(json.loads(line)["url"])


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()
