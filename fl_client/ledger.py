"""The device's privacy ledger: what every training costs, on the disk before it runs.

A training is charged in one transaction that SQLite has synced when it returns, so that a kill at any point can only
over-count. What is charged is never taken back: not when training fails, not for a new release, not when a call is
labelled anew. Nothing of it is ever sent.

A phone's ledger holds one device. A simulation's holds many, written by several processes: a round that a kill took
away is trained again with the same seed, which is the same release, and charged once.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from models.domain.training import CallSteps
from models.errors import LedgerError

_TABLES = """
CREATE TABLE IF NOT EXISTS trainings (
    device INTEGER NOT NULL,
    release INTEGER NOT NULL,
    round INTEGER NOT NULL,
    period INTEGER NOT NULL,
    noise_multiplier REAL,
    sampling_rate REAL,
    steps INTEGER,
    PRIMARY KEY (device, release, round)
) WITHOUT ROWID, STRICT;
CREATE TABLE IF NOT EXISTS calls (
    device INTEGER NOT NULL,
    call TEXT NOT NULL,
    first_period INTEGER NOT NULL,
    PRIMARY KEY (device, call)
) WITHOUT ROWID, STRICT;
"""

BUSY_SECONDS = 60.0
"""How long a charge waits for another process's."""

IN_MEMORY = ":memory:"
"""In the place of a path: a ledger that ends with its process; for simulations and tests."""


@dataclass(frozen=True, slots=True)
class Training:
    """One training of a device, as it is charged.

    Attributes:
        release: Version of the release that the run starts from; with ``round_number`` it names the participation.
        round_number: Counts from 1.
        period: Budgets are a period's.
        steps: DP-SGD steps that it may take, ``None`` where calls are not protected or there are none.
    """

    release: int
    round_number: int
    period: int
    steps: CallSteps | None


class LedgerStore:
    """The file that ledgers are kept in."""

    def __init__(self, path: Path | str, *, at_once: bool = True) -> None:
        """Open a store, or make one.

        Args:
            path: The file, or `IN_MEMORY`.
            at_once: Every charge is on the disk when it returns; people's devices need that. A simulation turns it off:
                its charges outlive a kill of its process, but not of the machine.

        Raises:
            LedgerError: The file can't be used.
        """
        self._path = path
        try:
            if path != IN_MEMORY:
                Path(path).parent.mkdir(parents=True, exist_ok=True)
            # Flower may run the ClientApp on another thread than the one that built it, one message at a time.
            self._connection = sqlite3.connect(path, timeout=BUSY_SECONDS, check_same_thread=False)
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute(f"PRAGMA synchronous = {'FULL' if at_once else 'OFF'}")
            self._connection.executescript(_TABLES)
        except (sqlite3.Error, OSError) as error:
            raise LedgerError(f"{path}: this privacy ledger can't be used: {error}") from error

    def __enter__(self) -> LedgerStore:
        """Return the store; it is closed when the block ends."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._connection.close()

    def ledger_of(self, device: int) -> DeviceLedger:
        """Return one device's ledger."""
        return DeviceLedger(self._connection, device)

    def call_spending(self, rounds: int) -> dict[int, list[CallSteps]]:
        """Return each device's DP-SGD steps in the rounds up to this one, a training each; for a simulation.

        Raises:
            LedgerError: It can't be read.
        """
        spending = defaultdict(list)
        for device, *steps in _read(
            self._connection,
            "SELECT device, noise_multiplier, sampling_rate, steps FROM trainings"
            " WHERE steps IS NOT NULL AND round <= ? ORDER BY device, release, round",
            (rounds,),
        ):
            spending[device].append(CallSteps(*steps))
        return dict(spending)


class DeviceLedger:
    """What one device was charged for. Whatever can't be read or written is a `LedgerError`."""

    def __init__(self, connection: sqlite3.Connection, device: int) -> None:
        self._connection, self._device = connection, device

    @contextmanager
    def alone(self) -> Iterator[DeviceLedger]:
        """Keep other processes from charging between a look at what is spent and the charge that follows.

        Raises:
            LedgerError: Another process holds the ledger for too long.
        """
        try:
            self._connection.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            raise LedgerError(f"the privacy ledger can't be written: {error}") from error
        try:
            yield self
        finally:
            if self._connection.in_transaction:
                self._connection.rollback()

    def rounds(self, release: int) -> list[int]:
        """Return the rounds of a release's run that the device was charged for, in order."""
        query = "SELECT round FROM trainings WHERE device = ? AND release = ? ORDER BY round"
        return [int(row[0]) for row in _read(self._connection, query, (self._device, release))]

    def last_period(self) -> int:
        """Return the last period that anything was charged in: a clock that is set back gives no budget back."""
        query = "SELECT MAX(period) FROM trainings WHERE device = ?"
        return int(_read(self._connection, query, (self._device,))[0][0] or 0)

    def participations_in(self, period: int) -> int:
        """Return how often the device took part in a period, in whatever run."""
        query = "SELECT COUNT(*) FROM trainings WHERE device = ? AND period = ?"
        return int(_read(self._connection, query, (self._device, period))[0][0])

    def steps_since(self, period: int) -> list[CallSteps]:
        """Return the DP-SGD steps charged since the start of a period, those of one kind added up."""
        found = _read(
            self._connection,
            "SELECT noise_multiplier, sampling_rate, SUM(steps) FROM trainings"
            " WHERE device = ? AND period >= ? AND steps IS NOT NULL GROUP BY noise_multiplier, sampling_rate",
            (self._device, period),
        )
        return [CallSteps(*row) for row in found]

    def first_periods(self, keys: Sequence[str]) -> dict[str, int]:
        """Return the period in which each call was first trained on; calls that never were are left out."""
        marks = ", ".join("?" * len(keys))
        found = _read(
            self._connection,
            f"SELECT call, first_period FROM calls WHERE device = ? AND call IN ({marks})",  # noqa: S608  marks only
            (self._device, *keys),
        )
        return dict(found)

    def charge(self, training: Training, keys: Sequence[str]) -> None:
        """Charge a training and note the calls that it is the first one of, in one transaction.

        The same round of the same run is charged once: whoever lets a device train it twice must know why.

        Raises:
            LedgerError: It can't be written; nothing is charged, so nothing may be trained.
        """
        steps = training.steps
        mechanism = (None, None, None) if steps is None else (steps.noise_multiplier, steps.sampling_rate, steps.steps)
        try:
            self._connection.execute(
                "INSERT OR IGNORE INTO trainings VALUES (?, ?, ?, ?, ?, ?, ?)",
                (self._device, training.release, training.round_number, training.period, *mechanism),
            )
            for key in keys:
                self._connection.execute(
                    "INSERT OR IGNORE INTO calls VALUES (?, ?, ?)", (self._device, key, training.period)
                )
            self._connection.commit()
        except sqlite3.Error as error:
            self._connection.rollback()
            raise LedgerError(f"the privacy ledger can't be written: {error}") from error


def _read(connection: sqlite3.Connection, query: str, values: tuple[object, ...]) -> list[tuple[Any, ...]]:
    try:
        return connection.execute(query, values).fetchall()
    except sqlite3.Error as error:
        raise LedgerError(f"the privacy ledger can't be read: {error}") from error
