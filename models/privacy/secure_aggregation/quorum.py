"""How many devices a secure round must be left with, and may have at most: from how cohorts are drawn."""

from __future__ import annotations

import itertools
import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

from models.domain.secure_aggregation import FEWEST_DEVICES, ThreatModel
from models.errors import UsageError
from models.privacy.secure_aggregation.neighbourhood import (
    MOST_ABORTED,
    abort_probability,
    binomial_tail,
    choose_neighbourhood,
)

_HARDLY_EVER = 1e-9

_LARGER = (1.1, 1.2, 1.3, 1.4, 1.5, 1.7, 2.0, 2.5, 3.0, 4.0)
"""Cohorts that are tried where one is refused, in its own size ..."""

_ROUND_COHORTS = (10, 20, 30, 50, 70, 100, 200, 500, 1000)
"""... and, where it is small, in devices."""

LARGEST_COHORT = 5_000
"""Looking through the graphs of more takes minutes, and nobody measured what their rounds cost."""


@dataclass(frozen=True, slots=True)
class CohortBounds:
    """Sizes between which a round's devices lie, but once in 10,000 rounds.

    Attributes:
        quorum: Devices that are left at least.
        most: Devices that are drawn at most.
    """

    quorum: int
    most: int


def bound_cohort(devices: int, sampling_rate: float, dropout: float) -> CohortBounds:
    """Return the bounds of a Poisson-drawn cohort; each is missed in at most half of ``MOST_ABORTED`` of the rounds.

    Raises:
        UsageError: So few devices may be left that a sum of them would hide nobody.
    """
    bounds = _bounds(devices, sampling_rate, dropout)
    if bounds.quorum < FEWEST_DEVICES:
        raise UsageError(_too_few(devices, sampling_rate, dropout))
    return bounds


def expected_aborts(devices: int, sampling_rate: float, dropout: float, threat_model: ThreatModel) -> float:
    """Return a bound on the share of rounds in which too few neighbours are left, over the cohorts that are drawn."""
    return math.fsum(_aborts_by_size(devices, sampling_rate, dropout, threat_model))


def require_rare_aborts(devices: int, sampling_rate: float, dropout: float, threat_model: ThreatModel) -> None:
    """Refuse cohorts that may leave too few devices, or of which more than one in 10,000 would lack neighbours.

    Raises:
        UsageError: With what would be accepted.
    """
    if round(devices * sampling_rate) > LARGEST_COHORT:
        raise UsageError(f"secure aggregation is for cohorts of {LARGEST_COHORT:,} at most: ask for a smaller one")
    if _is_accepted(devices, sampling_rate, dropout, threat_model):
        return
    if _bounds(devices, sampling_rate, dropout).quorum < FEWEST_DEVICES:
        reason = _too_few(devices, sampling_rate, dropout)
    else:
        aborts = expected_aborts(devices, sampling_rate, dropout, threat_model)
        reason = (
            f"a cohort of {devices * sampling_rate:.0f} with a dropout of {_percent(dropout)} would abort {aborts:.2%} "
            f"of the secure rounds against the {threat_model} server, and {MOST_ABORTED:.2%} is the most"
        )
    raise UsageError(f"{reason}: {_what_is_accepted(devices, sampling_rate, dropout, threat_model)}")


def _too_few(devices: int, sampling_rate: float, dropout: float) -> str:
    return (
        f"a cohort of {devices * sampling_rate:.0f} with a dropout of {_percent(dropout)} may leave fewer than "
        f"{FEWEST_DEVICES} devices, too few for secure aggregation"
    )


def _percent(share: float) -> str:
    """Return a share so that one below 1 never reads as all."""
    return f"{math.floor(1000 * share) / 10:g}%"


def _bounds(devices: int, sampling_rate: float, dropout: float) -> CohortBounds:
    left, rare, sizes = sampling_rate * (1 - dropout), MOST_ABORTED / 2, range(devices + 1)
    below = bisect_right(sizes, rare, key=lambda size: binomial_tail(devices, left, size - 1))
    most = bisect_left(sizes, True, key=lambda size: 1 - binomial_tail(devices, sampling_rate, size) <= rare)
    return CohortBounds(below - 1, most)


def _aborts_by_size(devices: int, sampling_rate: float, dropout: float, threat_model: ThreatModel) -> Iterator[float]:
    """Yield what each size of cohort adds to the share of rounds that abort."""
    bounds = bound_cohort(devices, sampling_rate, dropout)
    for size in range(bounds.quorum, bounds.most + 1):
        drawn = binomial_tail(devices, sampling_rate, size) - binomial_tail(devices, sampling_rate, size - 1)
        # A size that is hardly ever drawn isn't worth its graph: as if it always aborted.
        yield drawn * (_aborts(size, dropout, threat_model) if drawn > _HARDLY_EVER else 1.0)


def _aborts(size: int, dropout: float, threat_model: ThreatModel) -> float:
    return abort_probability(size, dropout, choose_neighbourhood(size, dropout, threat_model), threat_model)


def _is_accepted(devices: int, sampling_rate: float, dropout: float, threat_model: ThreatModel) -> bool:
    if _bounds(devices, sampling_rate, dropout).quorum < FEWEST_DEVICES:
        return False
    so_far = itertools.accumulate(_aborts_by_size(devices, sampling_rate, dropout, threat_model))
    return all(aborted <= MOST_ABORTED for aborted in so_far)


def _what_is_accepted(devices: int, sampling_rate: float, dropout: float, threat_model: ThreatModel) -> str:
    """Name what would be accepted, each by itself; where no change of one option would be, two together."""
    accepted = [
        *_larger_cohort(devices, sampling_rate, dropout, threat_model),
        *_smaller_dropout(devices, sampling_rate, dropout, threat_model),
        *_weaker_server(devices, sampling_rate, dropout, threat_model),
    ]
    if accepted:
        return "ask for " + " or ".join(accepted)
    # A cohort of everybody is drawn whole: without losses it is accepted, from three devices on.
    everybody = max(devices, FEWEST_DEVICES)
    larger = f"--devices {everybody} " if everybody > devices else ""
    both = " or ".join(_smaller_dropout(everybody, 1.0, dropout, threat_model) or ["--dropout 0"])
    return f"no change of one option is enough; ask for {larger}--cohort {everybody} with {both}"


def _larger_cohort(devices: int, sampling_rate: float, dropout: float, threat_model: ThreatModel) -> list[str]:
    """Name a cohort that would be accepted, and a population that has it; nothing where none of those tried would."""
    drawn, share = devices * sampling_rate, 2 / 3 if threat_model is ThreatModel.ACTIVE else 1 / 2
    if 1 - dropout <= share:
        return []  # in a cohort of any size about half of the rounds, or more, would lack shares
    for cohort in sorted({*(math.ceil(factor * drawn) for factor in _LARGER), *_ROUND_COHORTS}):
        population = max(devices, cohort)
        if drawn < cohort <= _ROUND_COHORTS[-1] and _is_accepted(
            population, cohort / population, dropout, threat_model
        ):
            return [f"--cohort {cohort}" + (f" of --devices {population}" if population > devices else "")]
    return []


def _smaller_dropout(devices: int, sampling_rate: float, dropout: float, threat_model: ThreatModel) -> list[str]:
    """Name the largest dropout, in whole percent, that would be accepted; nothing where not even 0 would."""
    if not _is_accepted(devices, sampling_rate, 0.0, threat_model):
        return []
    accepted, refused = 0, math.ceil(100 * dropout)
    while refused - accepted > 1:
        percent = (accepted + refused) // 2
        if _is_accepted(devices, sampling_rate, percent / 100, threat_model):
            accepted = percent
        else:
            refused = percent
    return [f"--dropout {accepted / 100:g}"]


def _weaker_server(devices: int, sampling_rate: float, dropout: float, threat_model: ThreatModel) -> list[str]:
    curious = ThreatModel.HONEST_BUT_CURIOUS
    if threat_model is curious or not _is_accepted(devices, sampling_rate, dropout, curious):
        return []
    return [f"--threat-model {curious}"]
