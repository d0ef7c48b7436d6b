"""How far one histogram lies from another.

k values; a leading axis R counts simulated repetitions.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.drift.histogram import Shares

SMALLEST_SHARE = 0.005
"""Shares below it count as it: the stability index of an empty value would be infinite.

Any floor changes the index, so thresholds are simulated with the same one.
"""


def raise_to_floor(shares: Shares) -> Shares:
    """Return shares (..., k) none of which is below ``SMALLEST_SHARE`` by much, adding up to 1."""
    raised = np.maximum(shares, SMALLEST_SHARE)
    return np.asarray(raised / raised.sum(axis=-1, keepdims=True))


def population_stability_index(shares: Shares, reference: Shares) -> NDArray[np.float64]:
    """Return the population stability index (...) of positive shares (..., k): sum of (p - q) ln(p / q), in nats.

    It is Kullback and Leibler's symmetric divergence (1951). The usual thresholds 0.1 and 0.25 know neither the number
    of reports nor their noise: without drift the index grows as 1 / reports (Yurdakul, Naranjo 2020).
    """
    return np.asarray(np.sum((shares - reference) * np.log(shares / reference), axis=-1))


def jensen_shannon_distance(shares: Shares, reference: Shares) -> NDArray[np.float64]:
    """Return Jensen and Shannon's distance (...) of shares (..., k): 0 to 1, a metric (Endres, Schindelin 2003)."""
    middle = (shares + reference) / 2
    divergence = (_relative_entropy(shares, middle) + _relative_entropy(reference, middle)) / 2
    return np.asarray(np.sqrt(np.maximum(divergence, 0.0)))


def chi_square(frequencies: NDArray[np.float64], expected: NDArray[np.float64], reports: float) -> NDArray[np.float64]:
    """Return Pearson's statistic (...) of frequencies (..., k) of randomised answers against those expected (..., k).

    On randomised answers it is the statistic of estimated shares, each weighed by the noise that its value carries
    (Gaboardi, Rogers, "Local Private Hypothesis Testing: Chi-Square Tests", 2018).
    """
    return np.asarray(reports * np.sum((frequencies - expected) ** 2 / np.maximum(expected, 1e-12), axis=-1))


def _relative_entropy(shares: Shares, of: Shares) -> NDArray[np.float64]:
    """Return sum p log2(p / q), where 0 log 0 is 0."""
    ratio = np.where(shares > 0, shares / np.maximum(of, 1e-300), 1.0)
    return np.asarray(np.sum(shares * np.log2(ratio), axis=-1))
