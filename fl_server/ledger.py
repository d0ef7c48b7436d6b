"""The server's privacy ledger: what was spent on persons, written before it is spent.

A round is charged before any device is asked, and the charge is on the disk by then. A kill at any point can therefore
only over-count. A seeded simulation repeats a round with the same noise after a kill, which is the same release: it is
charged once. With people's devices the noise is fresh, so every attempt counts.
"""

from __future__ import annotations

import errno
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.domain.privacy import Adversary, Mechanism, PersonPrivacy
from models.durable_file import append_durably, write_durably
from models.errors import BudgetSpentError, CheckpointError, LedgerError
from models.privacy.accounting import person_epsilon, sampled_gaussian_epsilon, trees_mechanism
from models.privacy.tree_accounting import planned_trees, trees_sensitivity_squared

_ROUNDED = 1 - 1e-6
"""Another processor may sum one epsilon a little differently; a charge less differs by far more."""

_FIELDS = {
    "round": int,
    "starts_tree": bool,
    "epsilon": dict,
    "delta": float,
    "mechanism": str,
    "simulated": bool,
    "settings": str,
}
"""What a line says, by name."""


@dataclass(frozen=True, slots=True)
class Charge:
    """One payment: for a round, and whether a tree of noise starts with it."""

    round_number: int
    starts_tree: bool


class PersonLedger:
    """Rounds charged so far, in a file of JSON lines that only grows.

    A line also says what was spent by then, against whom, and whether the figure is a simulated one, so that the file
    explains itself to an auditor.
    """

    def __init__(self, path: Path, privacy: PersonPrivacy, settings_digest: str, *, simulated: bool = False) -> None:
        """Open a ledger, or start one.

        Args:
            path: The file.
            privacy: What one charge pays for.
            settings_digest: Fingerprint of the run; charges of another run can't be counted as this one's.
            simulated: The plan stands for more devices than run.

        Raises:
            CheckpointError: The file is damaged anywhere but in a last line that a kill cut short, or another run's.
            LedgerError: It can't be read.
        """
        self._path, self._privacy, self._settings, self._simulated = path, privacy, settings_digest, simulated
        self._charged = _read_charges(path, settings_digest)

    @property
    def charges(self) -> int:
        """How often the mechanism was paid for."""
        return len(self._charged)

    def charge(self, round_number: int, *, repeatable: bool, starts_tree: bool = False) -> None:
        """Pay for a round before it runs.

        Args:
            round_number: Counts from 1.
            repeatable: The round's randomness is seeded, so running it again releases nothing new.
            starts_tree: DP-FTRL: a tree of noise begins with this round.

        Raises:
            BudgetSpentError: What the plan allows is spent; nothing is charged.
        """
        if repeatable and any(charge.round_number == round_number for charge in self._charged):
            return
        charged = [*self._charged, Charge(round_number, starts_tree)]
        if not self._allowed(charged):
            raise BudgetSpentError(
                f"round {round_number} refused: {self.charges} of {self._privacy.rounds} planned rounds are spent"
            )
        append_durably(self._path, json.dumps(self._line(charged)).encode())
        self._charged = charged

    def epsilon(self, against: Adversary = Adversary.RECIPIENTS) -> float:
        """Return user-level epsilon spent so far."""
        return self._epsilon(self._charged, against)

    def require_charged(self, rounds: int, epsilon: float) -> None:
        """Refuse to go on where saved rounds have cost more than is written here. A charge without its round is none.

        Args:
            rounds: How many are saved; each was charged at least once.
            epsilon: Against recipients, what the last of them said was spent by then.

        Raises:
            LedgerError: Charges were lost.
        """
        charged = {charge.round_number for charge in self._charged}
        if charged.issuperset(range(1, rounds + 1)) and self.epsilon() >= epsilon * _ROUNDED:
            return
        raise LedgerError(
            f"{self._path}: lacks charges of the {rounds} rounds saved here; put the whole ledger back, or start over"
        )

    def _allowed(self, charged: Sequence[Charge]) -> bool:
        privacy = self._privacy
        if privacy.mechanism is not Mechanism.FTRL:
            return len(charged) <= privacy.rounds
        # A kill cuts a tree short and begins another: what counts is what all of them spend together.
        planned = planned_trees(privacy.rounds, privacy.tree_rounds)
        limit, spent = (
            trees_sensitivity_squared(trees, privacy.participations, privacy.separation)
            for trees in (planned, _trees(charged))
        )
        return spent <= limit

    def _epsilon(self, charged: Sequence[Charge], against: Adversary) -> float:
        if self._privacy.mechanism is Mechanism.FTRL:
            return sampled_gaussian_epsilon(*trees_mechanism(self._privacy, _trees(charged)), self._privacy.delta)
        return person_epsilon(self._privacy, against, len(charged))

    def _line(self, charged: Sequence[Charge]) -> dict[str, Any]:
        return {
            "round": charged[-1].round_number,
            "starts_tree": charged[-1].starts_tree,
            "epsilon": {against.value: self._epsilon(charged, against) for against in Adversary},
            "delta": self._privacy.delta,
            "mechanism": self._privacy.mechanism.value,
            "simulated": self._simulated,
            "settings": self._settings,
        }


def read_spending(path: Path) -> list[dict[str, Any]]:
    """Return what each charge of a ledger says of itself, in order; a last line that a kill cut short is left out.

    Raises:
        CheckpointError: There is no ledger, or it is damaged.
    """
    try:
        whole, _, _ = _read_file(path).rpartition(b"\n")
        shown = ("round", "epsilon", "delta", "mechanism", "simulated")
        return [{name: charge[name] for name in shown} for charge in _read_lines(whole)]
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path}: no privacy ledger that can be read") from error


def _trees(charged: Sequence[Charge]) -> tuple[int, ...]:
    """Return how many rounds each tree was charged for."""
    starts = [place for place, charge in enumerate(charged) if charge.starts_tree]
    return tuple(end - start for start, end in zip(starts, [*starts[1:], len(charged)], strict=True))


def _read_charges(path: Path, settings_digest: str) -> list[Charge]:
    if not path.exists():
        return []
    try:
        whole, _, cut_short = _read_file(path).rpartition(b"\n")
    except OSError as error:
        raise LedgerError(f"{path}: the privacy ledger can't be read: {error.strerror}") from error
    if cut_short:
        # The charge never returned, so no device was asked for it: drop the torn line. In one step, so that a kill in
        # the middle of the repair can't lose the charges before it.
        write_durably(path, whole + b"\n" if whole else b"")
    try:
        lines = _read_lines(whole)
    except ValueError as error:
        raise CheckpointError(f"{path}: the privacy ledger is damaged; it can't be gone on with") from error
    if any(line["settings"] != settings_digest for line in lines):
        raise CheckpointError(f"{path}: this privacy ledger belongs to a run with other settings")
    return [Charge(line["round"], line["starts_tree"]) for line in lines]


def _read_file(path: Path) -> bytes:
    """Return a file's content; of a device or a pipe there may be no end."""
    if not path.is_file():
        raise OSError(errno.EINVAL, "Is no regular file", str(path))
    return path.read_bytes()


def _read_lines(content: bytes) -> list[dict[str, Any]]:
    """Return what whole lines say.

    Raises:
        ValueError: One of them is no charge.
    """
    try:
        lines = [json.loads(line) for line in content.splitlines()]
    except RecursionError:
        raise ValueError("a line is nested too deep") from None
    if not all(map(_is_charge, lines)):
        raise ValueError("a line is no charge")
    return lines


def _is_charge(line: object) -> bool:
    if not isinstance(line, dict) or any(type(line.get(name)) is not kind for name, kind in _FIELDS.items()):
        return False
    epsilons = [line["epsilon"].get(against.value) for against in Adversary]
    numbers = [line["delta"], *epsilons]
    return line["round"] >= 1 and all(isinstance(number, float) and 0 <= number < math.inf for number in numbers)
