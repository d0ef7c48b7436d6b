"""The registry: the directory where training and API meet. Training writes releases and rounds, the API writes orders.

``metadata/`` and ``targets/`` are a TUF repository; ``rounds/``, ``orders/`` and ``outcomes/`` only ever grow, a file a
record. Nothing in it comes from a single device.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from models.domain.round import ReplyFate, RoundReport
from models.errors import BadInputError, RefusedError

READABLE_BY_ALL = 0o644
"""Mode of what is published: the API reads it, possibly as another user."""

_RECORD = re.compile(r"[0-9a-z][0-9a-z-]*\.json")


class RegistryError(BadInputError):
    """The registry's folder or one of its records can't be used."""


class RecordExistsError(RefusedError):
    """A record of that name is there already; records are never overwritten."""


@dataclass(frozen=True, slots=True)
class Registry:
    """The folders of a registry."""

    root: Path

    @property
    def metadata(self) -> Path:
        """TUF metadata, served as it stands."""
        return self.root / "metadata"

    @property
    def targets(self) -> Path:
        """The releases' files under names with their hash, served as they stand."""
        return self.root / "targets"

    @property
    def rounds(self) -> Path:
        """Round reports."""
        return self.root / "rounds"

    @property
    def orders(self) -> Path:
        """What an operator asked for."""
        return self.root / "orders"

    @property
    def outcomes(self) -> Path:
        """What became of each order."""
        return self.root / "outcomes"


def create_registry(root: Path) -> Registry:
    """Make the folders that are missing and return the registry.

    Raises:
        RegistryError: The folder can't be written or is something else.
    """
    registry = Registry(root)
    try:
        for folder in (registry.metadata, registry.targets, registry.rounds, registry.orders, registry.outcomes):
            folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RegistryError(f"{root}: no registry can be made here: {error.strerror}") from error
    return registry


def open_registry(root: Path) -> Registry:
    """Return a registry that is there.

    Raises:
        RegistryError: The folder isn't a registry.
    """
    registry = Registry(root)
    if not registry.metadata.is_dir() or not registry.rounds.is_dir():
        raise RegistryError(f"{root}: not a registry (expected the folders metadata/ and rounds/)")
    return registry


@contextmanager
def sole_writer(registry: Registry) -> Iterator[None]:
    """Hold the registry for writing, so that two publishers never sign the same version.

    Raises:
        RefusedError: Another process holds it.
    """
    with (registry.root / ".lock").open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise RefusedError(f"{registry.root}: another process is writing to this registry") from error
        yield


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
        _write_once(path, content)
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


def append_round(registry: Registry, report: RoundReport) -> None:
    """Add a round's report.

    Raises:
        RecordExistsError: This round was reported before, with other figures.
        RegistryError: The registry can't be written.
    """
    append_record(registry.rounds, f"{report.number:06d}", asdict(report))


def read_rounds(registry: Registry) -> list[RoundReport]:
    """Return the reports of all rounds, in order.

    Raises:
        RegistryError: A report is damaged.
    """
    return [_parse_round(name, record) for name, record in read_records(registry.rounds).items()]


def write_in_place(path: Path, content: bytes) -> None:
    """Put a published file in place in one step: readers see the old content or the new.

    Raises:
        OSError: The folder is full or read-only; the old content stays.
    """
    with _durable_draft(path, content) as draft:
        draft.replace(path)


def _encode(record: Mapping[str, Any]) -> bytes:
    try:
        return json.dumps(record, ensure_ascii=False, allow_nan=False, sort_keys=True).encode() + b"\n"
    except ValueError as error:
        raise RegistryError("a record's numbers must be finite") from error


def _parse_round(name: str, record: dict[str, Any]) -> RoundReport:
    try:
        fates = {ReplyFate(fate): int(count) for fate, count in record.pop("fates").items()}
        return RoundReport(**record, fates=fates)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise RegistryError(f"rounds/{name}.json: not a round report") from error


def _read_record(path: Path) -> dict[str, Any]:
    try:
        record = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise RegistryError(f"{path}: can't be read") from error
    if not isinstance(record, dict):
        raise RegistryError(f"{path}: expected an object")
    return record


def _write_once(path: Path, content: bytes) -> None:
    with _durable_draft(path, content) as draft:
        # A hard link fails where the name is taken: unlike a rename it can't overwrite, whoever else is writing.
        os.link(draft, path)


@contextmanager
def _durable_draft(path: Path, content: bytes) -> Iterator[Path]:
    """Give a file beside ``path`` that is on the disk; afterwards it is gone and the folder is on the disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".draft-")
    try:
        with os.fdopen(handle, "wb") as file:
            os.fchmod(file.fileno(), READABLE_BY_ALL)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        yield Path(name)
    finally:
        with suppress(FileNotFoundError):
            Path(name).unlink()
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
