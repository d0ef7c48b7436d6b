"""Exact samples of the discrete Gaussian, many at a time.

Source: Canonne, Kamath, Steinke 2020, algorithms 1 to 3: a discrete Laplace number is kept with the probability that
makes a Gaussian of it. Every choice is whether something happens with probability exp(-x) for a rational x. It is
decided by comparing a uniform number with exp(-x): in floating point where that is beyond doubt, and otherwise with as
many more random bits and digits as it takes. So no rounding changes a probability.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal, localcontext
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from models.privacy.randomness import WordSource

DOUBT = 2.0**-44
"""Nearer than this a comparison in floating point is not believed; its true error is below 2^-50."""

_CANDIDATES_EACH = 2.2
"""Candidates drawn for each sample that is wanted: 48 % of them are kept."""

Happens = NDArray[np.bool_]


def sample_discrete_gaussian(log2_deviation: int, count: int, source: WordSource) -> NDArray[np.int64]:
    """Return independent samples of N_Z(0, 4^log2_deviation), shape (count,).

    Args:
        log2_deviation: The parameter sigma is 2 to this power, from 0 to 40; the standard deviation equals it to all
            digits of a double from 2 on.
        count: How many.
        source: The operating system's with people's devices.
    """
    kept: list[NDArray[np.int64]] = []
    missing = count
    while missing > 0:
        kept.append(_draw_candidates(log2_deviation, int(_CANDIDATES_EACH * missing) + 16, source))
        missing -= len(kept[-1])
    return np.concatenate(kept)[:count] if kept else np.zeros(0, np.int64)


def happens_exp_minus(
    exponents: NDArray[np.float64], exact: Callable[[int], Fraction], source: WordSource, doubt: float = DOUBT
) -> Happens:
    """Return for each exponent x whether something of probability exp(-x) happened, shape (count,).

    Args:
        exponents: 0 or above, each within a few units in the last place of the true one, shape (count,).
        exact: Gives the true exponent at an index.
        source: Where the uniform numbers come from.
        doubt: Comparisons nearer than this are decided exactly.
    """
    uniform = source.words(len(exponents))
    distance = uniform.astype(np.float64) * 2.0**-64 - np.exp(-exponents)
    happened = distance < 0
    for index in np.flatnonzero(np.abs(distance) < doubt):
        happened[index] = _is_below_exp_minus(int(uniform[index]), exact(int(index)), source)
    return happened


def _draw_candidates(log2_deviation: int, count: int, source: WordSource) -> NDArray[np.int64]:
    """Return those of ``count`` candidates that are kept: below, y = fraction + whole in units of sigma."""
    words = source.words(count)
    fraction = (
        (words >> np.uint64(64 - log2_deviation)).astype(np.int64) if log2_deviation else np.zeros(count, np.int64)
    )
    negative = (words & np.uint64(1)).astype(bool)
    whole = _count_successes(count, source)
    part = fraction * 2.0**-log2_deviation
    # The Laplace's own factor exp(-fraction), and the Gaussian over the Laplace: exp(-(y - 1)^2 / 2).
    exponents = part + (part + whole - 1) ** 2 / 2

    def exact(index: int) -> Fraction:
        true_part = Fraction(int(fraction[index]), 2**log2_deviation)
        return true_part + (true_part + int(whole[index]) - 1) ** 2 / 2

    magnitude = fraction + (whole << log2_deviation)
    kept = happens_exp_minus(exponents, exact, source) & ~(negative & (magnitude == 0))
    return np.asarray(np.where(negative, -magnitude, magnitude)[kept])


def _count_successes(count: int, source: WordSource) -> NDArray[np.int64]:
    """Return how often in a row something of probability 1/e happened, shape (count,)."""
    successes, still = np.zeros(count, np.int64), np.arange(count)
    while still.size:
        still = still[happens_exp_minus(np.ones(len(still)), lambda _: Fraction(1), source)]
        successes[still] += 1
    return successes


def _is_below_exp_minus(uniform: int, exponent: Fraction, source: WordSource) -> bool:
    """Say whether a uniform real number that begins with these 64 bits is below exp(-exponent)."""
    bits = 64
    while True:
        with localcontext() as digits:
            digits.prec = bits // 3 + 20
            bound = (-Decimal(exponent.numerator) / exponent.denominator).exp() * 2**bits
            above, below = bound + Decimal("0.001"), bound - Decimal("0.001")
        if uniform + 1 <= below or exponent == 0:
            return True
        if uniform >= above:
            return False
        uniform, bits = (uniform << 64) | int(source.words(1)[0]), bits + 64
