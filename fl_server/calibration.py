"""From a privacy target to the noise that it needs, and back."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from dp_accounting import DpEvent, calibrate_dp_mechanism
from dp_accounting.mechanism_calibration import LowerEndpointAndGuess

from models.domain.privacy import Adversary, PersonPrivacy
from models.errors import UsageError
from models.privacy.accounting import (
    Accountant,
    composed_mechanism,
    new_accountant,
    person_epsilon,
    sampled_gaussian_event,
)

SMALLEST_NOISE, LARGEST_EPSILON = 0.05, 100.0
"""Beyond them a figure promises nobody anything, and accountants get slow."""

TOLERANCE = 1e-3
"""Noise multipliers are found to this, and rounded to the side that protects."""


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

    Raises:
        UsageError: The epsilon is out of range.
    """
    if not 0 < epsilon <= LARGEST_EPSILON:
        raise UsageError(f"expected an epsilon above 0 and of {LARGEST_EPSILON:g} at most, got {epsilon}")
    found = []
    for accountant in Accountant:
        multiplier = _least_noise(privacy, against, epsilon, accountant)
        found.append(_spent(replace(privacy, noise_multiplier=multiplier), against, accountant))
    return found


def find_epsilon(privacy: PersonPrivacy, against: Adversary) -> list[Calibration]:
    """Return what a plan spends with its own noise, by each accountant."""
    return [_spent(privacy, against, accountant) for accountant in Accountant]


def _spent(privacy: PersonPrivacy, against: Adversary, accountant: Accountant) -> Calibration:
    epsilon = person_epsilon(privacy, against, privacy.rounds, accountant)
    return Calibration(accountant, privacy.noise_multiplier, epsilon)


def _least_noise(privacy: PersonPrivacy, against: Adversary, epsilon: float, accountant: Accountant) -> float:
    def event_of(multiplier: float) -> DpEvent:
        with_noise = replace(privacy, noise_multiplier=multiplier)
        return sampled_gaussian_event(*composed_mechanism(with_noise, against, privacy.rounds))

    found = calibrate_dp_mechanism(
        lambda: new_accountant(accountant),
        event_of,
        epsilon,
        privacy.delta,
        LowerEndpointAndGuess(SMALLEST_NOISE, 1.0),
        tol=TOLERANCE / 2,
    )
    return float(math.ceil(found / TOLERANCE) * TOLERANCE)
