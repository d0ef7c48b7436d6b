"""From a privacy target to the noise that it needs, and back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from models.domain.privacy import Adversary, PersonPrivacy
from models.errors import UsageError
from models.privacy.accounting import Accountant, person_epsilon, require_countable

SMALLEST_NOISE, LARGEST_NOISE = 0.05, 1e9
"""Less promises nobody anything, and of more nothing is left to learn; accountants get slow there, or lost."""

SMALLEST_EPSILON, LARGEST_EPSILON = 1e-6, 100.0
"""As above."""

TOLERANCE = 1e-3
"""Noise multipliers are whole numbers of it, on the side that protects."""

_FINEST = 100_000
"""Large ones are found to five digits."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """What a plan costs by one accountant.

    Attributes:
        accountant: Which.
        noise_multiplier: Noise on the sum, in clipping norms.
        epsilon: What it spends in all of the plan's rounds, against the adversary asked for.
    """

    accountant: Accountant
    noise_multiplier: float
    epsilon: float


def find_noise(privacy: PersonPrivacy, against: Adversary, epsilon: float) -> list[Calibration]:
    """Return the least noise that keeps a plan's epsilon, by each accountant; the plan's own noise has no part in it.

    It is ``SMALLEST_NOISE`` where less would do.

    Raises:
        UsageError: The epsilon is out of range.
    """
    if not SMALLEST_EPSILON <= epsilon <= LARGEST_EPSILON:
        raise UsageError(f"expected an epsilon of {SMALLEST_EPSILON:g} to {LARGEST_EPSILON:g}, got {epsilon}")

    def least(accountant: Accountant, guess: float) -> Calibration:
        def spend(steps: int) -> Calibration:
            return _spent(replace(privacy, noise_multiplier=steps * TOLERANCE), against, accountant)

        return spend(least_steps(lambda steps: spend(steps).epsilon <= epsilon, round(guess / TOLERANCE)))

    # Renyi DP is quick at any noise; PLD is slow where noise is small, so it starts from what Renyi DP found.
    loose = least(Accountant.RDP, 1.0)
    return [least(Accountant.PLD, loose.noise_multiplier), loose]


def find_epsilon(privacy: PersonPrivacy, against: Adversary) -> list[Calibration]:
    """Return what a plan spends with its own noise, by each accountant.

    Raises:
        UsageError: There is so little noise, or so many rounds, that no figure promises anything, or too much noise.
    """
    require_noise(privacy.noise_multiplier)
    require_countable(privacy, against)
    return [_spent(privacy, against, accountant) for accountant in Accountant]


def require_noise(noise_multiplier: float) -> None:
    """Refuse so little noise that nobody is promised anything, or so much that nothing is left to learn.

    Raises:
        UsageError: It is out of range or not a number.
    """
    if not SMALLEST_NOISE <= noise_multiplier <= LARGEST_NOISE:
        limits = f"{SMALLEST_NOISE:g} to {LARGEST_NOISE:g}"
        raise UsageError(f"expected a noise multiplier of {limits}, got {noise_multiplier}")


def _spent(privacy: PersonPrivacy, against: Adversary, accountant: Accountant) -> Calibration:
    epsilon = person_epsilon(privacy, against, privacy.rounds, accountant)
    return Calibration(accountant, privacy.noise_multiplier, epsilon)


def least_steps(is_enough: Callable[[int], bool], guess: int) -> int:
    """Return the least noise that is enough, in steps of the tolerance, and none below the smallest.

    Raises:
        UsageError: Not even the largest noise is enough.
    """
    enough, smallest, largest = guess, round(SMALLEST_NOISE / TOLERANCE), round(LARGEST_NOISE / TOLERANCE)
    while not is_enough(enough):
        if enough == largest:
            raise UsageError(f"no noise multiplier of {LARGEST_NOISE:g} or less keeps this epsilon")
        enough = min(2 * enough, largest)
    too_little = enough // 2
    while too_little >= smallest and is_enough(too_little):
        enough, too_little = too_little, too_little // 2
    too_little = max(too_little, smallest - 1)
    while enough - too_little > max(1, enough // _FINEST):
        middle = (enough + too_little) // 2
        enough, too_little = (middle, too_little) if is_enough(middle) else (enough, middle)
    return enough
