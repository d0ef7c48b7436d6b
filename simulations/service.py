"""The API as a process of its own, on loopback, for as long as a simulation needs it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from models.errors import UnreachableError

_URL = re.compile(r"https?://[^\s/]+:\d+")
_STOP_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class ApiPlace:
    """Where the API keeps its things.

    Attributes:
        database: SQLAlchemy URL.
        registry: Shared with the server.
        keys: Folder of its secrets.
        log: File that its standard error goes to.
    """

    database: str
    registry: Path
    keys: Path
    log: Path


def run_api(place: ApiPlace, *command: str) -> None:
    """Run one of the API's commands to its end.

    Raises:
        UnreachableError: It failed; the log says why.
    """
    place.log.parent.mkdir(parents=True, exist_ok=True)
    with place.log.open("ab") as log:
        done = subprocess.run(_command(place, *command), stdout=log, stderr=log, check=False, env=_environment())  # noqa: S603
    if done.returncode:
        raise UnreachableError(f"the API's {command[0]} failed; {place.log} says why")


@contextmanager
def serving_api(place: ApiPlace, host: str = "127.0.0.1") -> Iterator[str]:
    """Serve the API on a free port of loopback and yield its address; it is ended with the block.

    Raises:
        UnreachableError: It didn't start; the log says why.
    """
    serve = ("serve", "--host", host, "--port", "0", "--registry", str(place.registry), "--plain-http")
    process = subprocess.Popen(_command(place, *serve), stderr=subprocess.PIPE, text=True, env=_environment())  # noqa: S603
    try:
        yield _wait_for_address(process, place.log)
    finally:
        process.terminate()
        try:
            _keep(process.communicate(timeout=_STOP_SECONDS)[1], place.log)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _command(place: ApiPlace, *command: str) -> list[str]:
    keys = () if command[0] == "release-statistics" else ("--keys", str(place.keys))
    return [sys.executable, "-m", "api", *command, "--database", place.database, *keys]


def _environment() -> dict[str, str]:
    return os.environ | {"PYTHONUNBUFFERED": "1"}


def _wait_for_address(process: subprocess.Popen[str], log: Path) -> str:
    assert process.stderr is not None
    for line in process.stderr:
        _keep(line, log)
        found = _URL.search(line)
        if found:
            return found.group()
    raise UnreachableError(f"the API didn't start; {log} says why")


def _keep(text: str, log: Path) -> None:
    with log.open("a", encoding="utf-8") as file:
        file.write(text)
