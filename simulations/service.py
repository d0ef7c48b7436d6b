"""The API of a simulation: its own database and secrets, served by a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from api.certificate import make_certificate
from api.database import connect_database, migrate_database
from api.keys import make_keys
from api.process import running_api
from models.errors import UnreachableError


@dataclass(frozen=True, slots=True)
class ApiPlace:
    """Where the API keeps its things.

    Attributes:
        database: SQLAlchemy URL.
        registry: Shared with the server.
        keys: Folder of its secrets.
        log: File that its process's standard error goes to.
    """

    database: str
    registry: Path
    keys: Path
    log: Path


@dataclass(frozen=True, slots=True)
class ApiAddress:
    """How devices reach the API.

    Attributes:
        ca_file: The certificate that they trust; ``None`` over plain HTTP.
    """

    url: str
    ca_file: Path | None


@contextmanager
def serving_api(place: ApiPlace, *, plain_http: bool = False) -> Iterator[ApiAddress]:
    """Make the database and the secrets, serve on a free port of loopback and yield the address.

    Args:
        place: Where the API keeps its things.
        plain_http: Speak without TLS, so that a test can listen in.

    Raises:
        UnreachableError: It didn't start; the message is its own.
    """
    make_keys(place.keys)
    migrate_database(connect_database(place.database))
    place.log.parent.mkdir(parents=True, exist_ok=True)
    certificate = None if plain_http else make_certificate(place.keys / "tls", "127.0.0.1")
    with running_api(place.database, place.registry, place.keys, place.log, certificate=certificate) as url:
        yield ApiAddress(url, None if certificate is None else certificate[0])


def release_window(place: ApiPlace) -> None:
    """Close the open window now, as the operator may: for good, and only with the reports that it needs.

    Raises:
        UnreachableError: The command failed; the message is its own.
    """
    command = [sys.executable, "-m", "api", "release-statistics", "--early", "--database", place.database]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  our own program, no shell
    if done.returncode:
        said = done.stderr.strip().splitlines()[-1:] or ["it said nothing"]
        raise UnreachableError(f"the statistics couldn't be released: {said[0]}")
