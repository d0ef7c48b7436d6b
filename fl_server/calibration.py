"""From a privacy target to the noise that it needs, and back."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from dp_accounting import DpEvent, calibrate_dp_mechanism
from dp_accounting.mechanism_calibration import LowerEndpointAndGuess, NoBracketIntervalFoundError

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
    # Renyi DP is quick at any noise; PLD is slow where noise is small, so it starts from what Renyi DP found.
    loose = _least_noise(privacy, against, epsilon, Accountant.RDP, LowerEndpointAndGuess(SMALLEST_NOISE, 1.0))
    tight = _least_noise(privacy, against, epsilon, Accountant.PLD, _around_tighter(privacy, against, epsilon, loose))
    return [
        _kept(replace(privacy, noise_multiplier=multiplier), against, accountant, epsilon)
        for multiplier, accountant in ((tight, Accountant.PLD), (loose, Accountant.RDP))
    ]


def find_epsilon(privacy: PersonPrivacy, against: Adversary) -> list[Calibration]:
    """Return what a plan spends with its own noise, by each accountant.

    Raises:
        UsageError: There is so little noise that no figure promises anything.
    """
    if privacy.noise_multiplier < SMALLEST_NOISE:
        raise UsageError(f"expected a noise multiplier of {SMALLEST_NOISE:g} or more, got {privacy.noise_multiplier}")
    return [_spent(privacy, against, accountant) for accountant in Accountant]


def _kept(privacy: PersonPrivacy, against: Adversary, accountant: Accountant, epsilon: float) -> Calibration:
    """Return what a plan spends; with a little more noise where PLD, in steps for just this noise, says too much."""
    spent = _spent(privacy, against, accountant)
    while spent.epsilon > epsilon:
        more = _rounded_up(spent.noise_multiplier * (1 + TOLERANCE / 10))
        spent = _spent(replace(privacy, noise_multiplier=more), against, accountant)
    return spent


def _rounded_up(multiplier: float) -> float:
    return float(math.ceil(multiplier / TOLERANCE) * TOLERANCE)


def _spent(privacy: PersonPrivacy, against: Adversary, accountant: Accountant) -> Calibration:
    epsilon = person_epsilon(privacy, against, privacy.rounds, accountant)
    return Calibration(accountant, privacy.noise_multiplier, epsilon)


def _around_tighter(privacy: PersonPrivacy, against: Adversary, epsilon: float, enough: float) -> LowerEndpointAndGuess:
    """Return noise that is too little by PLD, and noise that may do, starting from what is enough by Renyi DP.

    That is usually a little too much. Where epsilon is tiny, Renyi DP's orders end, and it is many times too much.
    """
    too_little = enough / 2
    while too_little > SMALLEST_NOISE and _is_enough(too_little, privacy, against, epsilon):
        enough, too_little = too_little, too_little / 2
    return LowerEndpointAndGuess(too_little, enough)


def _is_enough(multiplier: float, privacy: PersonPrivacy, against: Adversary, epsilon: float) -> bool:
    return _spent(replace(privacy, noise_multiplier=multiplier), against, Accountant.PLD).epsilon <= epsilon


def _least_noise(
    privacy: PersonPrivacy,
    against: Adversary,
    epsilon: float,
    accountant: Accountant,
    bracket: LowerEndpointAndGuess,
) -> float:
    def event_of(multiplier: float) -> DpEvent:
        with_noise = replace(privacy, noise_multiplier=multiplier)
        return sampled_gaussian_event(*composed_mechanism(with_noise, against, privacy.rounds))

    loss_scale = composed_mechanism(replace(privacy, noise_multiplier=bracket.initial_guess), against, privacy.rounds)[
        0
    ]
    try:
        found = calibrate_dp_mechanism(
            lambda: new_accountant(accountant, loss_scale), event_of, epsilon, privacy.delta, bracket, tol=TOLERANCE / 2
        )
    except NoBracketIntervalFoundError:
        raise UsageError(f"no noise was found that keeps epsilon {epsilon:g}: is it within reason?") from None
    return _rounded_up(found)
