"""The ratio of two estimated shares with its interval: how many warnings people overrode.

Source: Fieller, "Some Problems in Interval Estimation" (1954). A quotient of two noisy estimates has no usable standard
error where the divisor may be zero; Fieller's set then is not bounded, which is what is known.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

from models.drift.histogram import Histogram
from models.errors import BadInputError


@dataclass(frozen=True, slots=True)
class Ratio:
    """A ratio of shares; all of it lies between 0 and 1.

    Attributes:
        value: ``None`` where the whole is estimated as nothing.
        low: Lower end of the interval.
        high: Upper end.
    """

    value: float | None
    low: float
    high: float


def estimate_ratio(histogram: Histogram, part: str, rest: str, confidence: float = 0.95) -> Ratio:
    """Return the share of one value among two, with Fieller's interval; 0 to 1 where the reports can't tell.

    Args:
        histogram: With both values.
        part: What is counted.
        rest: What belongs to the whole beside it.
        confidence: Probability with which the interval holds the true ratio.

    Raises:
        BadInputError: The histogram lacks a value.
    """
    if part not in histogram.counts or rest not in histogram.counts:
        raise BadInputError("the histogram lacks a value of the ratio")
    estimates = dict(zip(histogram.values, histogram.estimate(), strict=True))
    top, whole = float(estimates[part]), float(estimates[part] + estimates[rest])
    variance, shared = _variance(histogram, part), _covariance(histogram, part, rest)
    of_whole = variance + _variance(histogram, rest) + 2 * shared
    low, high = _fieller(top, whole, variance, of_whole, variance + shared, NormalDist().inv_cdf(0.5 + confidence / 2))
    value = min(max(top / whole, 0.0), 1.0) if whole > 0 else None
    return Ratio(value, low, high)


def _fieller(
    top: float, whole: float, top_variance: float, whole_variance: float, covariance: float, z: float
) -> tuple[float, float]:
    """Return the ratios r, cut at 0 and 1, at which top - r whole is within z standard errors of 0."""
    a = whole**2 - z**2 * whole_variance
    b = top * whole - z**2 * covariance
    c = top**2 - z**2 * top_variance
    if a <= 0 or whole <= 0 or b**2 < a * c:
        return 0.0, 1.0
    spread = math.sqrt(b**2 - a * c)
    return min(max((b - spread) / a, 0.0), 1.0), min(max((b + spread) / a, 0.0), 1.0)


def _variance(histogram: Histogram, value: str) -> float:
    seen = histogram.counts[value] / histogram.reports
    return seen * (1 - seen) / (histogram.reports * histogram.channel.slope**2)


def _covariance(histogram: Histogram, one: str, other: str) -> float:
    """Return the covariance of two estimates: answers that count for one can't count for the other, or hardly do."""
    channel = histogram.channel
    if channel.exclusive:
        seen = histogram.counts[one] * histogram.counts[other] / histogram.reports**2
        return -seen / (histogram.reports * channel.slope**2)
    shares = [(histogram.counts[value] / histogram.reports - channel.lied) / channel.slope for value in (one, other)]
    return -max(shares[0], 0.0) * max(shares[1], 0.0) / histogram.reports
