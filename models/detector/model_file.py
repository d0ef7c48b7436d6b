"""Reading and writing a detector's files. Whatever is wrong with one is a `ModelFileError` that names it."""

from __future__ import annotations

import hashlib
import io
import json
import os
import tempfile
import tokenize
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.errors import ModelFileError

METADATA = "detector.json"
"""Name of the file that says what the others are, in a trained and in an exported directory."""


_DAMAGED = (
    *(ValueError, LookupError, TypeError, EOFError, RuntimeError, MemoryError),
    *(zipfile.BadZipFile, zlib.error, tokenize.TokenError),
)
"""What NumPy and the standard library raise when they read bytes that are no archive or JSON, or an odd array."""


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What a file must be to belong to a detector."""

    bytes: int
    sha256: str


@contextmanager
def model_file_errors(path: Path) -> Iterator[None]:
    """Turn whatever goes wrong with a file into a `ModelFileError` naming it."""
    try:
        yield
    except OSError as error:
        raise ModelFileError(f"{path}: {error.strerror or 'cannot be read or written'}") from error
    except _DAMAGED as error:
        raise ModelFileError(f"{path}: damaged, or not a file of a detector") from error


def make_directory(directory: Path) -> None:
    """Make a directory to write a detector into.

    Raises:
        ModelFileError: It can't be made or written to.
    """
    with model_file_errors(directory):
        if directory.exists() and not directory.is_dir():
            raise ModelFileError(f"{directory}: is there and is no folder")
        directory.mkdir(parents=True, exist_ok=True)
        if not os.access(directory, os.W_OK):
            raise ModelFileError(f"{directory}: is read-only")


@contextmanager
def writing_directory(directory: Path) -> Iterator[Path]:
    """Give a folder to write a detector's files into; at the end they take their places in the directory.

    A full disk, an interruption or a kill before that leaves what was there as it was. The metadata takes its place
    last: between the first file's and its own, a reader finds files that it doesn't describe, and refuses them.

    Raises:
        ModelFileError: The directory can't be made or written to, or a file can't be; names where it was to be.
    """
    make_directory(directory)
    with model_file_errors(directory), tempfile.TemporaryDirectory(dir=directory, prefix=".unfinished-") as name:
        try:
            yield Path(name)
        except ModelFileError as error:
            raise ModelFileError(str(error).replace(name, str(directory))) from error
        for file in sorted(Path(name).iterdir(), key=lambda file: file.name == METADATA):
            with model_file_errors(directory / file.name):
                _put_in_place(file, directory / file.name)


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file whole or not at all: a full disk leaves the earlier one as it was."""
    unfinished = path.with_name(path.name + ".unfinished")
    with model_file_errors(path):
        try:
            unfinished.write_bytes(content)
            _put_in_place(unfinished, path)
        finally:
            unfinished.unlink(missing_ok=True)


def _put_in_place(file: Path, path: Path) -> None:
    if path.exists() and not path.is_file():
        raise ModelFileError(f"{path}: is there and is no regular file")  # root could replace a device by renaming
    file.replace(path)


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write named arrays as an uncompressed NumPy archive."""
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    write_bytes(path, buffer.getvalue())


def read_arrays(path: Path, names: Iterable[str] | None = None) -> dict[str, NDArray[Any]]:
    """Return the named arrays of an archive, or all of them in its own order.

    Raises:
        ModelFileError: The file is missing or damaged, or lacks a name.
    """
    with model_file_errors(path), np.load(path, allow_pickle=False) as archive:
        return {name: archive[name] for name in (archive.files if names is None else names)}


def write_metadata(directory: Path, metadata: Mapping[str, Any], files: Iterable[str]) -> None:
    """Write ``detector.json``: the metadata, and size and SHA-256 of each of the files."""
    facts = {name: asdict(file_facts(directory / name)) for name in files}
    text = json.dumps({**metadata, "files": facts}, ensure_ascii=False, allow_nan=False, indent=1)
    write_bytes(directory / METADATA, (text + "\n").encode())


def read_metadata(directory: Path, expected_format: str) -> dict[str, Any]:
    """Return ``detector.json``.

    Raises:
        ModelFileError: It is missing or damaged, or says another format.
    """
    path = directory / METADATA
    with model_file_errors(path):
        metadata = json.loads(path.read_bytes())
    found = metadata.get("format") if isinstance(metadata, dict) else None
    if not isinstance(metadata, dict) or found != expected_format:
        expected = f"expected format {expected_format!r}, got {str(found)[:50]!r}"
        raise ModelFileError(f"{path}: {expected}; train or export it anew with this version")
    return metadata


def check_file(directory: Path, name: str, metadata: Mapping[str, Any]) -> Path:
    """Return the path of a file that is what its metadata says.

    Raises:
        ModelFileError: It is missing, or of another size or content.
    """
    path = directory / name
    with model_file_errors(path):
        expected = FileFacts(**metadata["files"][name])
        found = file_facts(path)
    if found != expected:
        raise ModelFileError(f"{path}: is not the file that {METADATA} describes (size or SHA-256 differs)")
    return path


def file_facts(path: Path) -> FileFacts:
    """Return the size and SHA-256 of a file."""
    with model_file_errors(path):
        content = path.read_bytes()
    return FileFacts(len(content), hashlib.sha256(content).hexdigest())
