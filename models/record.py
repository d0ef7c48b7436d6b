"""Records of the registry: a file each, whole or not there, only ever added. Training and API both write them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from models.durable_file import READABLE_BY_ALL, create_durably
from models.errors import RecordExistsError, RegistryError

_RECORD = re.compile(r"[0-9a-z][0-9a-z-]*\.json")


def append_record(folder: Path, name: str, record: Mapping[str, Any]) -> None:
    """Add a record for ever: whole and on the disk when this returns, or not there at all.

    Raises:
        RecordExistsError: There is a record of this name with another content; the same content again changes nothing.
        RegistryError: The folder can't be written, or the record holds a number that isn't finite.
    """
    content = _encode(record)
    path = folder / f"{name}.json"
    if not _RECORD.fullmatch(f"{name}.json"):
        raise RegistryError(f"{folder}: a record is named with small letters, digits and hyphens")
    try:
        create_durably(path, content, READABLE_BY_ALL)
    except FileExistsError:
        if path.read_bytes() != content:
            raise RecordExistsError(f"{path}: there is another record of this name") from None
    except OSError as error:
        raise RegistryError(f"{folder}: can't be written: {error.strerror}") from error


def read_records(folder: Path) -> dict[str, dict[str, Any]]:
    """Return all records of a folder by name, in the names' order.

    Raises:
        RegistryError: A record is damaged.
    """
    paths = sorted(path for path in folder.iterdir() if _RECORD.fullmatch(path.name))
    return {path.stem: _read_record(path) for path in paths}


def _encode(record: Mapping[str, Any]) -> bytes:
    try:
        return json.dumps(record, ensure_ascii=False, allow_nan=False, sort_keys=True).encode() + b"\n"
    except ValueError as error:
        raise RegistryError("a record's numbers must be finite") from error


def record_names(folder: Path) -> set[str]:
    """Return the names of a folder's records; none where it isn't there yet."""
    try:
        return {path.stem for path in folder.iterdir() if _RECORD.fullmatch(path.name)}
    except FileNotFoundError:
        return set()


def read_record(folder: Path, name: str) -> dict[str, Any] | None:
    """Return a record, ``None`` where there is none of that name.

    Raises:
        RegistryError: It is damaged.
    """
    path = folder / f"{name}.json"
    return _read_record(path) if _RECORD.fullmatch(path.name) and path.exists() else None


def _read_record(path: Path) -> dict[str, Any]:
    try:
        record = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise RegistryError(f"{path}: can't be read") from error
    if not isinstance(record, dict):
        raise RegistryError(f"{path}: expected an object")
    return record
