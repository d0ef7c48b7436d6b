"""Histograms as they are observed: through randomised answers of some devices, or on calls in clear.

k values; a leading axis R counts simulated repetitions.
Sources: Wang et al., "Locally Differentially Private Protocols for Frequency Estimation" (2017), whose "pure" protocols
all have the form of `Channel`; Duchi et al., "Efficient Projections onto the l1-Ball" (2008) for the simplex.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.errors import BadInputError

Shares = NDArray[np.float64]
"""(..., k); after projection not negative and adding up to 1."""


@dataclass(frozen=True, slots=True)
class Channel:
    """What stands between the value that a device holds and the count that its answer goes to.

    Attributes:
        kept: Probability that an answer counts for the value that the device holds.
        lied: Probability that it counts for any one value that the device doesn't hold.
        exclusive: Whether an answer counts for exactly one value (randomised response), not for any number of them
            (unary encoding, a bit a value).
    """

    kept: float
    lied: float
    exclusive: bool

    def __post_init__(self) -> None:
        """Refuse a channel through which nothing can be seen.

        Raises:
            BadInputError: Its probabilities aren't some, or don't tell values apart.
        """
        if not 0 <= self.lied < self.kept <= 1:
            raise BadInputError("a channel needs probabilities 0 <= lied < kept <= 1")

    @property
    def slope(self) -> float:
        """By how much an expected frequency grows with the share."""
        return self.kept - self.lied


IN_CLEAR = Channel(kept=1.0, lied=0.0, exclusive=True)
"""No randomisation: calls of the acceptance set."""


@dataclass(frozen=True, slots=True)
class Histogram:
    """Counts by value, and how they came about.

    Attributes:
        counts: By value, every value of the domain in it. Weighted ones need not be whole.
        reports: Devices or calls that the counts rest on.
        channel: What the counts passed through.
    """

    counts: Mapping[str, float]
    reports: float
    channel: Channel

    def __post_init__(self) -> None:
        """Refuse a histogram of nothing.

        Raises:
            BadInputError: It has no report, fewer than two values, or a negative count.
        """
        if len(self.counts) < 2 or self.reports < 1 or min(self.counts.values()) < 0:
            raise BadInputError("a histogram needs two values, one report and no negative count")

    @property
    def values(self) -> tuple[str, ...]:
        """The domain, in order."""
        return tuple(self.counts)

    def estimate(self) -> Shares:
        """Return unbiased estimates of the shares (k,), which may lie below 0 or above 1."""
        return estimate_shares(np.array(list(self.counts.values())), self.reports, self.channel)


def estimate_shares(counts: NDArray[np.float64], reports: float, channel: Channel) -> Shares:
    """Return unbiased estimates (..., k) of the shares behind counts (..., k) of so many reports."""
    return np.asarray((counts / reports - channel.lied) / channel.slope)


def draw_counts(
    shares: Shares, reports: int, channel: Channel, repetitions: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Draw the counts (R, k) that devices' answers would come to, were these (k,) the true shares."""
    if channel.exclusive:
        seen = channel.lied + channel.slope * shares
        return rng.multinomial(reports, seen / seen.sum(), repetitions).astype(np.float64)
    held = rng.multinomial(reports, shares, repetitions)
    seen_bits = rng.binomial(held, channel.kept) + rng.binomial(reports - held, channel.lied)
    return np.asarray(seen_bits, dtype=np.float64)


def project_to_simplex(estimates: Shares) -> Shares:
    """Return the nearest shares (..., k) that are not negative and add up to 1, by Euclidean distance.

    Estimates of randomised answers can be negative; what they are compared by needs shares.
    """
    ordered = -np.sort(-estimates, axis=-1)
    excess = np.cumsum(ordered, axis=-1) - 1.0
    positions = np.arange(1, estimates.shape[-1] + 1)
    positive = np.sum(ordered * positions > excess, axis=-1, keepdims=True)
    shift = np.take_along_axis(excess, positive - 1, axis=-1) / positive
    return np.asarray(np.maximum(estimates - shift, 0.0))


def effective_reports(shares: Shares, reports: float, channel: Channel) -> float:
    """Return how many reports without randomisation would estimate these shares (k,) as well, summed over values."""
    seen = channel.lied + channel.slope * shares
    variance = float(np.sum(seen * (1 - seen))) / channel.slope**2
    return reports * float(1 - np.sum(shares**2)) / variance if variance else reports
