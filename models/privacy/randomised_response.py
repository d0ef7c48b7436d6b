"""k-ary randomised response: local differential privacy for one value of a small closed domain.

Sources: Kairouz, Bonawitz, Ramage, "Discrete Distribution Estimation under Local Privacy" (2016); Wang et al., "Locally
Differentially Private Protocols for Frequency Estimation" (2017, there "direct encoding"); the exact sampler of
exp(-gamma) is that of Canonne, Kamath, Steinke, "The Discrete Gaussian for Differential Privacy" (2020).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from random import Random
from secrets import SystemRandom
from statistics import NormalDist

from models.errors import BadInputError

LARGEST_EPSILON = 16.0
"""Beyond it an answer is as good as the truth, and calling it private would be a lie."""


@dataclass(frozen=True, slots=True)
class ShareEstimate:
    """Which share of the devices holds a value, as far as randomised answers can tell.

    Attributes:
        share: Unbiased; below 0 or above 1 where noise carries it there, and never cut, so that shares add up to 1.
        standard_error: Of ``share``, from the randomisation and from which devices answered.
        low: Lower end of the interval (Wilson's, carried over to shares), not below 0.
        high: Upper end, not above 1.
    """

    share: float
    standard_error: float
    low: float
    high: float


def randomise(value: str, values: Sequence[str], epsilon: float, rng: Random | None = None) -> str:
    """Return the value with probability e^epsilon / (e^epsilon + k - 1), else one of the k - 1 others, all alike.

    The probabilities are exact: candidates are drawn alike and a false one is kept with probability exp(-epsilon),
    which is sampled in integers, so no rounding weakens the guarantee.

    Args:
        value: The truth. Sensitive: it dies here.
        values: The closed domain of k values.
        epsilon: Local differential privacy of the answer: above 0, at most ``LARGEST_EPSILON``.
        rng: Seeded in simulations only; people's answers use the operating system's randomness, the default.

    Raises:
        BadInputError: The value is not in the domain, or domain or epsilon are out of bounds.
    """
    _check_domain(values, epsilon)
    if value not in values:
        raise BadInputError("the value to randomise is not in its domain")
    rng = SystemRandom() if rng is None else rng
    exact_epsilon = Fraction(epsilon)
    while True:
        candidate = values[rng.randrange(len(values))]
        if candidate == value or _happens_exp_minus(exact_epsilon, rng):
            return candidate


def truth_probability(size: int, epsilon: float) -> float:
    """Return the probability with which an answer out of ``size`` values is the truth."""
    return 1.0 / (1.0 + (size - 1) * math.exp(-epsilon))


def estimate_shares(counts: Mapping[str, int], epsilon: float, confidence: float = 0.95) -> dict[str, ShareEstimate]:
    """Return unbiased estimates of the shares that the values had before they were randomised.

    Args:
        counts: Randomised answers by value, with every value of the domain in it, zeros too.
        epsilon: What the answers were randomised with.
        confidence: Probability with which an interval holds the true share, for each value by itself.

    Raises:
        BadInputError: There is no answer, a count is negative, or domain or epsilon are out of bounds.
    """
    _check_domain(tuple(counts), epsilon)
    total = sum(counts.values())
    if total < 1 or min(counts.values()) < 0:
        raise BadInputError("estimates need at least one answer and no negative count")
    kept = truth_probability(len(counts), epsilon)
    lied = (1.0 - kept) / (len(counts) - 1)
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    return {value: _estimate(count, total, kept, lied, z) for value, count in counts.items()}


def _estimate(count: int, total: int, kept: float, lied: float, z: float) -> ShareEstimate:
    observed = count / total
    low, high = _wilson(observed, total, z)
    slope = kept - lied  # an observed frequency is lied + slope * share
    return ShareEstimate(
        share=(observed - lied) / slope,
        standard_error=math.sqrt(observed * (1 - observed) / total) / slope,
        low=min(max((low - lied) / slope, 0.0), 1.0),
        high=min(max((high - lied) / slope, 0.0), 1.0),
    )


def _wilson(observed: float, total: int, z: float) -> tuple[float, float]:
    """Return Wilson's score interval of a binomial proportion."""
    widening = z * z / total
    centre = observed + widening / 2
    spread = z * math.sqrt(observed * (1 - observed) / total + widening / (4 * total))
    return (centre - spread) / (1 + widening), (centre + spread) / (1 + widening)


def _happens_exp_minus(gamma: Fraction, rng: Random) -> bool:
    """Return true with probability exp(-gamma), exactly."""
    whole = int(gamma)
    return all(_happens_exp_minus_small(Fraction(1), rng) for _ in range(whole)) and _happens_exp_minus_small(
        gamma - whole, rng
    )


def _happens_exp_minus_small(gamma: Fraction, rng: Random) -> bool:
    """Return true with probability exp(-gamma) for gamma from 0 to 1: von Neumann's alternating series."""
    step = 1
    while rng.randrange(gamma.denominator * step) < gamma.numerator:
        step += 1
    return step % 2 == 1


def _check_domain(values: Sequence[str], epsilon: float) -> None:
    if len(values) < 2 or len(set(values)) != len(values):
        raise BadInputError("a domain needs at least two values, all different")
    if not 0 < epsilon <= LARGEST_EPSILON:
        raise BadInputError(f"epsilon must be above 0 and at most {LARGEST_EPSILON:g}")
