"""What noise in shares costs: Renyi differential privacy of a sum of discrete Gaussians, composed by ourselves.

Sources: Kairouz, Liu, Steinke 2021, proposition 14 (the divergence of the sum, with the term tau that it costs that a
sum of discrete Gaussians is only nearly one); Zhu, Wang 2019, theorem 6 (Poisson sampling of any mechanism, at whole
orders); Canonne, Kamath, Steinke 2020, proposition 12 (from Renyi divergence to epsilon and delta).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

from models.domain.privacy import require_delta
from models.domain.secure_aggregation import DistributedNoise
from models.errors import UsageError

_WHOLE_ORDERS = (*range(2, 65), *range(68, 129, 4), 160, 192, 256)
_ORDERS = (*(1 + step / 20 for step in range(1, 20)), *(step / 4 for step in range(8, 40)), *range(10, 65), 128, 256)

RenyiCurve = Callable[[float], float]
"""Renyi divergence by order."""


def sum_divergence(noise: DistributedNoise, order: float) -> float:
    """Return the Renyi divergence at an order above 1 between sums that differ by one device's vector.

    Raises:
        UsageError: The noise is too little for the bound to hold (a deviation below one half).
    """
    if noise.deviation < 0.5 or noise.shares < 1:
        raise UsageError("the bound needs a deviation of one half or more")
    tau = _excess(noise.deviation, noise.shares)
    # Vectors are whole numbers, so the L1 norm is also at most the squared L2 norm.
    longest = min(math.sqrt(noise.dimension) * noise.sensitivity, noise.sensitivity**2)
    deviation = math.sqrt(noise.shares) * noise.deviation
    ratio = noise.sensitivity / deviation
    return min(
        order * ratio**2 / 2 + tau * noise.dimension,
        order / 2 * (ratio**2 + 2 * longest / deviation * tau + tau**2 * noise.dimension),
        order / 2 * (ratio + tau * math.sqrt(noise.dimension)) ** 2,
    )


def sampled_divergence(curve: RenyiCurve, rate: float, order: int) -> float:
    """Return a bound on the Renyi divergence of a mechanism on Poisson-sampled members, at a whole order from 2 on."""
    log_rate, log_rest = math.log(rate), math.log1p(-rate)
    terms = [(order - 1) * log_rest + math.log1p(order * rate - rate)]
    for chosen in range(2, order + 1):
        factor = 0.0 if chosen == 2 else math.log(3)
        ways = math.lgamma(order + 1) - math.lgamma(chosen + 1) - math.lgamma(order - chosen + 1)
        grown = (chosen - 1) * curve(chosen)
        terms.append(factor + ways + (order - chosen) * log_rest + chosen * log_rate + grown)
    largest = max(terms)
    return (largest + math.log(math.fsum(math.exp(term - largest) for term in terms))) / (order - 1)


@lru_cache(maxsize=4096)
def distributed_epsilon(noise: DistributedNoise, sampling_rate: float, compositions: int, delta: float) -> float:
    """Return epsilon of sums with noise in shares, composed.

    Args:
        noise: Of each sum.
        sampling_rate: Probability with which each member is drawn, in (0, 1]; 1 where nothing is amplified.
        compositions: Sums that are seen.
        delta: Probability with which the guarantee may fail; see ``require_delta``.

    Raises:
        UsageError: An argument is out of range.
    """
    require_delta(delta)
    if not 0 < sampling_rate <= 1 or compositions < 0:
        raise UsageError("expected a sampling rate in (0, 1] and no negative count")
    if compositions == 0:
        return 0.0

    def curve(order: float) -> float:
        return sum_divergence(noise, order)

    if sampling_rate == 1:
        return min(_convert(compositions * curve(order), order, delta) for order in _ORDERS)
    return min(
        _convert(compositions * sampled_divergence(curve, sampling_rate, order), order, delta)
        for order in _WHOLE_ORDERS
    )


def _convert(divergence: float, order: float, delta: float) -> float:
    """Return the epsilon that a Renyi divergence at an order means at a delta."""
    excess = (math.log(1 / delta) + (order - 1) * math.log1p(-1 / order) - math.log(order)) / (order - 1)
    return max(0.0, divergence + excess)


def _excess(deviation: float, shares: int) -> float:
    """Return tau: how far the sum of so many discrete Gaussians may be from a discrete Gaussian."""
    return 10 * math.fsum(math.exp(-2 * (math.pi * deviation) ** 2 * share / (share + 1)) for share in range(1, shares))
