"""The registry: the directory where training and API meet. Training writes releases and rounds, the API writes orders.

``metadata/`` and ``targets/`` are a TUF repository; ``rounds/``, ``orders/`` and ``outcomes/`` only ever grow, a file a
record. Nothing in it comes from a single device.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from models.domain.round import RoundReport, parse_round
from models.errors import BadInputError, RefusedError, RegistryError
from models.record import append_record, read_records


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

    @property
    def pause_mark(self) -> Path:
        """A file that is there while no round may begin."""
        return self.root / "paused"


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
    return [_parse(name, record) for name, record in read_records(registry.rounds).items()]


def _parse(name: str, record: dict[str, Any]) -> RoundReport:
    try:
        return parse_round(record)
    except BadInputError as error:
        raise RegistryError(f"rounds/{name}.json: not a round report") from error
