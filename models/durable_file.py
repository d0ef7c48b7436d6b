"""Files that are whole or not there, also after a kill or a power cut."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

OWNER_ONLY = 0o600
READABLE_BY_ALL = 0o644
"""Mode of what is published: whoever reads it may be another user."""


def write_durably(path: Path, content: bytes, mode: int = OWNER_ONLY) -> None:
    """Replace a file in one step: readers see the old content or the new, never a part.

    Raises:
        OSError: The folder is full, read-only or not a folder; the old content stays.
    """
    if path.exists() and not path.is_file():
        # Renaming replaces whatever stands there: for root a device such as /dev/null, too.
        raise OSError(errno.EINVAL, "Is there and is no regular file", str(path))
    with _written_beside(path, content, mode) as unfinished:
        os.replace(unfinished, path)
    _sync_folder(path.parent)


def create_durably(path: Path, content: bytes, mode: int = OWNER_ONLY) -> None:
    """Make a file in one step; one that is there already is never replaced.

    Raises:
        FileExistsError: There is something of that name.
        OSError: The folder is full, read-only or not a folder.
    """
    with _written_beside(path, content, mode) as unfinished:
        # A hard link fails where the name is taken: unlike a rename it can't overwrite, whoever else is writing.
        os.link(unfinished, path)
    _sync_folder(path.parent)


@contextmanager
def _written_beside(path: Path, content: bytes, mode: int) -> Iterator[Path]:
    """Give a file of another name in the same folder with all the content on the disk; it is gone afterwards."""
    _make_folder(path.parent)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:  # not of the file that is to be made: its folder is none
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder)) from error


def remove_durably(path: Path) -> None:
    """Take a file away, if it is there; it stays away after a power cut.

    Raises:
        OSError: The folder is read-only or not there.
    """
    path.unlink(missing_ok=True)
    _sync_folder(path.parent)


def append_durably(path: Path, line: bytes) -> None:
    """Add a line to a file that only grows; it is on the disk when this returns."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        file.write(line + b"\n")
        file.flush()
        os.fsync(file.fileno())
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
