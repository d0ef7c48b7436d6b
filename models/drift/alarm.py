"""Whether a histogram has drifted from its reference: thresholds from simulation, never from folklore.

Under local differential privacy a histogram of devices that didn't change at all lies far from its reference, by noise
alone. So the same number of reports is drawn many times from shares that did not drift, through the same randomisation,
and measured in the same way; what is seen must lie beyond nearly all of that.

R repetitions, k values, c values that say something of a call.
Sources: Davison, Hinkley, "Bootstrap Methods and their Application" (1997), chapter 4 (Monte Carlo tests, parametric
bootstrap); Westfall, Young, "Resampling-Based Multiple Testing" (1993), the smallest p-value of several statistics;
Phipson, Smyth, "Permutation P-values Should Never Be Zero" (2010).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from models.drift.distance import (
    chi_square,
    jensen_shannon_distance,
    population_stability_index,
    raise_to_floor,
)
from models.drift.histogram import (
    Histogram,
    Shares,
    draw_counts,
    effective_reports,
    estimate_shares,
    project_to_simplex,
)
from models.errors import BadInputError

ALARM_LEVEL = 0.01
"""Probability of an alarm where nothing drifted: for one metric, one window and one reference."""

REPETITIONS = 4999
"""Simulated histograms without drift; the smallest p-value that they can show is one in so many and one."""


class Statistic(StrEnum):
    """What drift is measured by."""

    PSI = "population_stability_index"
    JENSEN_SHANNON = "jensen_shannon_distance"
    CHI_SQUARE = "chi_square"


@dataclass(frozen=True, slots=True)
class Measured:
    """One statistic, seen and without drift.

    Attributes:
        value: Of the histogram.
        threshold: What is exceeded by chance with the probability of the alarm level, this statistic by itself.
        p: Share of the histograms without drift that lie as far or farther.
    """

    value: float
    threshold: float
    p: float


@dataclass(frozen=True, slots=True)
class Drift:
    """How far a histogram lies from its reference, and whether that is more than noise.

    Attributes:
        statistics: Each by itself.
        p: Of the most surprising statistic, corrected for there being several: below ``ALARM_LEVEL`` is an alarm.
        effective_reports: Reports without randomisation that would tell as much as these.
    """

    statistics: dict[Statistic, Measured]
    p: float
    effective_reports: float

    @property
    def alarms(self) -> bool:
        """Whether chance alone is no good explanation any more."""
        return self.p <= ALARM_LEVEL


def measure_drift(
    current: Histogram,
    reference: Histogram,
    rng: np.random.Generator,
    *,
    apart: Collection[str] = (),
    repetitions: int = REPETITIONS,
) -> Drift:
    """Return how far a histogram lies from a reference, against what it would be without drift.

    The reference's own noise counts too, whether it is a sample of calls in clear or another window's answers.

    Args:
        current: Of one window.
        reference: With the same values, but for those kept ``apart``, which it may lack.
        rng: Seeded: the same figures must give the same alarm.
        apart: Values that say nothing of a call, such as "no call". Shares are of the others among themselves.
        repetitions: Histograms that are simulated.

    Raises:
        BadInputError: The two have other values.
    """
    views = _Views(current, reference, apart)
    drawn = views.draw(repetitions, rng)
    seen = views.measure(_row(current), _row(reference))
    null = views.measure(*drawn)
    by_statistic = {name: _p_values(null[name]) for name in Statistic}
    p_of = {name: _p_value(float(seen[name][0]), null[name]) for name in Statistic}
    smallest = np.min(np.stack(list(by_statistic.values())), axis=0)
    return Drift(
        statistics={
            name: Measured(float(seen[name][0]), float(np.quantile(null[name], 1 - ALARM_LEVEL)), p_of[name])
            for name in Statistic
        },
        p=_p_value(-min(p_of.values()), -smallest),
        effective_reports=effective_reports(views.current_shares, current.reports, current.channel),
    )


class _Views:
    """Two histograms on the values that they have in common."""

    def __init__(self, current: Histogram, reference: Histogram, apart: Collection[str]) -> None:
        self._current, self._reference = current, reference
        told = [value for value in current.values if value not in apart]
        if told != [value for value in reference.values if value not in apart] or len(told) < 2:
            raise BadInputError("the histogram and its reference have other values")
        self._now = _places(current, told)
        self._then = _places(reference, told)
        self.current_shares = project_to_simplex(current.estimate())
        self._reference_shares = project_to_simplex(reference.estimate())

    def draw(self, repetitions: int, rng: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Draw counts (R, k) of both as they would be if calls were alike in both."""
        common = self._pool()
        now = _put(self.current_shares, self._now, common)
        then = _put(self._reference_shares, self._then, common)
        return (
            draw_counts(now, round(self._current.reports), self._current.channel, repetitions, rng),
            draw_counts(then, round(self._reference.reports), self._reference.channel, repetitions, rng),
        )

    def measure(self, now: NDArray[np.float64], then: NDArray[np.float64]) -> dict[Statistic, NDArray[np.float64]]:
        """Return each statistic (R,) of counts (R, k) of both."""
        current, channel = self._current, self._current.channel
        shares = project_to_simplex(estimate_shares(now, current.reports, channel))
        old_shares = project_to_simplex(estimate_shares(then, self._reference.reports, self._reference.channel))
        told, old = raise_to_floor(_among(shares, self._now)), raise_to_floor(_among(old_shares, self._then))
        spoken = shares[..., self._now].sum(axis=-1, keepdims=True)
        expected = channel.lied + channel.slope * spoken * old
        frequencies = now[..., self._now] / current.reports
        return {
            Statistic.PSI: population_stability_index(told, old),
            Statistic.JENSEN_SHANNON: jensen_shannon_distance(told, old),
            Statistic.CHI_SQUARE: chi_square(frequencies, expected, current.reports),
        }

    def _pool(self) -> Shares:
        """Return the shares (c,) that both would have without drift, each weighed by how much it tells."""
        weighed = [
            (_among(shares, places), effective_reports(shares, of.reports, of.channel) * float(shares[places].sum()))
            for shares, places, of in (
                (self.current_shares, self._now, self._current),
                (self._reference_shares, self._then, self._reference),
            )
        ]
        total = sum(weight for _, weight in weighed)
        if total <= 0:
            return weighed[1][0]
        return np.asarray(sum(shares * weight for shares, weight in weighed) / total)


def _places(histogram: Histogram, told: list[str]) -> NDArray[np.intp]:
    return np.array([histogram.values.index(value) for value in told])


def _row(histogram: Histogram) -> NDArray[np.float64]:
    return np.array([list(histogram.counts.values())], dtype=np.float64)


def _among(shares: Shares, places: NDArray[np.intp]) -> Shares:
    """Return some of the shares as shares of one another; all alike where nothing is left of them."""
    told = shares[..., places]
    total = told.sum(axis=-1, keepdims=True)
    return np.asarray(np.where(total > 0, told / np.maximum(total, 1e-300), 1 / len(places)))


def _put(shares: Shares, places: NDArray[np.intp], among: Shares) -> Shares:
    """Return shares (k,) in which those at some places are divided otherwise, and keep their sum."""
    replaced = shares.copy()
    replaced[places] = shares[places].sum() * among
    return replaced


def _p_value(seen: float, null: NDArray[np.float64]) -> float:
    """Return the share of the null's values that are as large or larger, what was seen counted among them."""
    return float((1 + np.sum(null >= seen)) / (1 + len(null)))


def _p_values(null: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return each of the null's values' own p-value among them, (R,)."""
    below = np.searchsorted(np.sort(null), null, side="left")
    return np.asarray((1 + len(null) - below) / (1 + len(null)))
