"""The server's privacy ledger: what was spent on persons, written before it is spent.

A round is charged before any device is asked, and the charge is on the disk by then. A kill at any point can therefore
only over-count. A seeded simulation repeats a round with the same noise after a kill, which is the same release: it is
charged once. With people's devices the noise is fresh, so every attempt counts.
"""

from __future__ import annotations

import json
from pathlib import Path

from models.domain.privacy import Adversary, PersonPrivacy
from models.durable_file import append_durably, write_durably
from models.errors import BudgetSpentError, CheckpointError
from models.privacy.accounting import person_epsilon


class PersonLedger:
    """Rounds charged so far, in a file of JSON lines that only grows."""

    def __init__(self, path: Path, privacy: PersonPrivacy, settings_digest: str) -> None:
        """Open a ledger, or start one.

        Args:
            path: The file.
            privacy: What one charge pays for.
            settings_digest: Fingerprint of the run; charges of another run can't be counted as this one's.

        Raises:
            CheckpointError: The file is damaged anywhere but in a last line that a kill cut short, or another run's.
        """
        self._path, self._privacy, self._settings = path, privacy, settings_digest
        self._charged = _read_charges(path, settings_digest)

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
        append_durably(self._path, json.dumps({"round": round_number, "settings": self._settings}).encode())
        self._charged.append(round_number)

    def epsilon(self, against: Adversary = Adversary.RECIPIENTS) -> float:
        """Return user-level epsilon spent so far."""
        return person_epsilon(self._privacy, against, self.charges)


def _read_charges(path: Path, settings_digest: str) -> list[int]:
    if not path.exists():
        return []
    whole, _, cut_short = path.read_bytes().rpartition(b"\n")
    if cut_short:
        # The charge never returned, so no device was asked for it: drop the torn line. In one step, so that a kill in
        # the middle of the repair can't lose the charges before it.
        write_durably(path, whole + b"\n" if whole else b"")
    try:
        charges = [(int(charge["round"]), charge["settings"]) for charge in map(json.loads, whole.splitlines())]
    except (ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{path}: the privacy ledger is damaged; it can't be gone on with") from error
    if any(settings != settings_digest for _, settings in charges):
        raise CheckpointError(f"{path}: this privacy ledger belongs to a run with other settings")
    return [round_number for round_number, _ in charges]
