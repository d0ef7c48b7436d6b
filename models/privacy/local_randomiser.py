"""How one value of a closed domain is told under local differential privacy, and what many such answers tell.

Of the two encodings the one is taken that estimates rare values better at the same epsilon. Both are "pure" in the
sense of Wang et al. ("Locally Differentially Private Protocols for Frequency Estimation", 2017): an answer supports the
true value with one probability and every other with another, so one estimator and one covariance serve both.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from secrets import SystemRandom
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models.errors import BadInputError
from models.privacy.randomised_response import answer_directly, direct_odds
from models.privacy.unary_encoding import answer_in_bits, unary_odds

LARGEST_EPSILON = 16.0
"""Beyond it an answer is as good as the truth, and calling it private would be a lie."""

Answer = tuple[str, ...]
"""The values that an answer supports, in the domain's order: one under `Encoding.DIRECT`, any number under `UNARY`."""


class Encoding(StrEnum):
    """How a value is told: by k-ary randomised response, or by optimised unary encoding."""

    DIRECT = "direct"
    UNARY = "unary"


@dataclass(frozen=True, slots=True)
class ShareEstimate:
    """Which share of the devices holds a value, as far as randomised answers can tell.

    Attributes:
        share: Unbiased; below 0 or above 1 where noise carries it there, and never cut. Under `Encoding.DIRECT` the
            shares add up to 1.
        standard_error: Of ``share``, from the randomisation and from which devices answered.
        low: Lower end of the interval (Wilson's, carried over to shares), not below 0.
        high: Upper end, not above 1.
    """

    share: float
    standard_error: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class LocalRandomiser:
    """The mechanism of one question.

    Attributes:
        values: The closed domain of k values.
        epsilon: Local differential privacy of one answer: above 0, at most ``LARGEST_EPSILON``.

    Raises:
        BadInputError: Domain or epsilon are out of bounds.
    """

    values: tuple[str, ...]
    epsilon: float

    def __post_init__(self) -> None:
        if len(self.values) < 2 or len(set(self.values)) != len(self.values):
            raise BadInputError("a domain needs at least two values, all different")
        if not 0 < self.epsilon <= LARGEST_EPSILON:
            raise BadInputError(f"epsilon must be above 0 and at most {LARGEST_EPSILON:g}")

    @property
    def encoding(self) -> Encoding:
        """Unary from k > 3 e^epsilon + 2 on, where its variance is the smaller one (Wang et al. 2017, section 5)."""
        return Encoding.UNARY if len(self.values) > 3 * math.exp(self.epsilon) + 2 else Encoding.DIRECT

    @property
    def odds(self) -> tuple[float, float]:
        """Probabilities with which an answer supports the true value, and a given other one."""
        if self.encoding is Encoding.UNARY:
            return unary_odds(self.epsilon)
        return direct_odds(len(self.values), self.epsilon)

    def randomise(self, value: str, rng: Random | None = None) -> Answer:
        """Return a randomised answer.

        Args:
            value: The truth. Sensitive: it dies here.
            rng: Seeded in simulations only; people's answers use the operating system's randomness, the default.

        Raises:
            BadInputError: The value is not in the domain.
        """
        if value not in self.values:
            raise BadInputError("the value to randomise is not in its domain")
        rng = SystemRandom() if rng is None else rng
        if self.encoding is Encoding.UNARY:
            return answer_in_bits(value, self.values, self.epsilon, rng)
        return (answer_directly(value, self.values, self.epsilon, rng),)

    def is_answer(self, answer: Iterable[str]) -> bool:
        """Return whether this mechanism can give an answer."""
        given = tuple(answer)
        in_order = tuple(value for value in self.values if value in given)
        return given == in_order and (self.encoding is Encoding.UNARY or len(given) == 1)

    def estimate(self, counts: Mapping[str, int], reports: int, confidence: float = 0.95) -> dict[str, ShareEstimate]:
        """Return unbiased estimates of the shares that the values had before they were randomised.

        Args:
            counts: Answers that support each value, every value of the domain in it, zeros too.
            reports: Answers in all.
            confidence: Probability with which an interval holds the true share, for each value by itself.

        Raises:
            BadInputError: There is no answer, or the counts can't be of so many.
        """
        fitting = self.encoding is Encoding.UNARY or sum(counts.values()) == reports
        if reports < 1 or set(counts) != set(self.values) or not fitting:
            raise BadInputError("estimates need at least one answer, and a count for every value")
        if min(counts.values()) < 0 or max(counts.values()) > reports:
            raise BadInputError("a count is negative or larger than the number of answers")
        z = NormalDist().inv_cdf(0.5 + confidence / 2)
        return {value: _estimate(counts[value], reports, self.odds, z) for value in self.values}

    def covariance(self, shares: ArrayLike, reports: int) -> NDArray[np.float64]:
        """Return the covariance of the estimated shares, shape (k, k), where the true ones are ``shares`` (k,).

        It holds the chance of the randomisation and that of which devices answered.
        """
        held, (truth, other) = np.asarray(shares, dtype=np.float64), self.odds
        seen = other + (truth - other) * held  # an answer supports a value with this probability
        # Bits are drawn each by itself; of the direct values exactly one is told.
        together = (truth - other) ** 2 * np.outer(held, held)
        if self.encoding is Encoding.DIRECT:
            together = np.outer(seen, seen)
        covariance = -together
        np.fill_diagonal(covariance, seen * (1 - seen))
        return np.asarray(covariance / (reports * (truth - other) ** 2))

    def draw_counts(self, shares: ArrayLike, reports: int, generator: np.random.Generator) -> NDArray[np.int64]:
        """Return the counts (k,) that so many devices' answers would come to, where the true shares are ``shares``.

        For simulations of many windows: as if every device were drawn from ``shares`` and randomised by itself.
        """
        truth, other = self.odds
        held = generator.multinomial(reports, np.asarray(shares, dtype=np.float64))
        if self.encoding is Encoding.UNARY:
            return np.asarray(generator.binomial(held, truth) + generator.binomial(reports - held, other))
        told = np.full((len(self.values), len(self.values)), other)
        np.fill_diagonal(told, truth)
        return np.asarray(generator.multinomial(held, told).sum(axis=0))


def _estimate(count: int, reports: int, odds: tuple[float, float], z: float) -> ShareEstimate:
    truth, other = odds
    observed, slope = count / reports, truth - other  # an observed frequency is other + slope * share
    low, high = _wilson(observed, reports, z)
    return ShareEstimate(
        share=(observed - other) / slope,
        standard_error=math.sqrt(observed * (1 - observed) / reports) / slope,
        low=min(max((low - other) / slope, 0.0), 1.0),
        high=min(max((high - other) / slope, 0.0), 1.0),
    )


def _wilson(observed: float, total: int, z: float) -> tuple[float, float]:
    """Return Wilson's score interval of a binomial proportion."""
    widening = z * z / total
    centre = observed + widening / 2
    spread = z * math.sqrt(observed * (1 - observed) / total + widening / (4 * total))
    return (centre - spread) / (1 + widening), (centre + spread) / (1 + widening)
