"""The server's privacy ledger: what was spent on persons, written before it is spent.

A round is charged before any device is asked, and the charge is on the disk by then. A kill at any point can therefore
only over-count. A seeded simulation repeats a round with the same noise after a kill, which is the same release: it is
charged once. With people's devices the noise is fresh, so every attempt counts.
"""

from __future__ import annotations

import json
from pathlib import Path

from models.domain.privacy import Adversary, PersonPrivacy
from models.durable_file import append_durably
from models.errors import BudgetSpentError, CheckpointError
from models.privacy.accounting import person_epsilon


class PersonLedger:
    """Rounds charged so far, in a file of JSON lines that only grows."""

    def __init__(self, path: Path, privacy: PersonPrivacy) -> None:
        """Open a ledger, or start one.

        Raises:
            CheckpointError: The file is damaged anywhere but in a last line that a kill cut short.
        """
        self._path, self._privacy = path, privacy
        self._charged = _read_charges(path)

    @property
    def charges(self) -> int:
        """How often the mechanism was paid for."""
        return len(self._charged)

    def charge(self, round_number: int, *, repeatable: bool) -> None:
        """Pay for a round before it runs.

        Args:
            round_number: Counts from 1.
            repeatable: The round's randomness is seeded, so running it again releases nothing new.

        Raises:
            BudgetSpentError: The plan's rounds are spent; nothing is charged.
        """
        if repeatable and round_number in self._charged:
            return
        if self.charges >= self._privacy.rounds:
            raise BudgetSpentError(
                f"round {round_number} refused: {self.charges} of {self._privacy.rounds} planned rounds are spent"
            )
        append_durably(self._path, json.dumps({"round": round_number}).encode())
        self._charged.append(round_number)

    def epsilon(self, against: Adversary = Adversary.RECIPIENTS) -> float:
        """Return user-level epsilon spent so far."""
        return person_epsilon(self._privacy, against, self.charges)


def _read_charges(path: Path) -> list[int]:
    if not path.exists():
        return []
    whole, _, cut_short = path.read_bytes().rpartition(b"\n")
    if cut_short:
        # The charge was never acknowledged, but the round may be asked for again: drop the torn line from the file.
        path.write_bytes(whole + b"\n" if whole else b"")
    try:
        return [int(json.loads(line)["round"]) for line in whole.splitlines()]
    except (ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{path}: the privacy ledger is damaged; it can't be gone on with") from error
