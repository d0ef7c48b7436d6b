"""How many devices a secure round must be left with, and may have at most: from how cohorts are drawn."""

from __future__ import annotations

import math
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
"""Cohorts that are tried where one is refused, in its own size."""


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
    left, rare = sampling_rate * (1 - dropout), MOST_ABORTED / 2
    quorum = max(size for size in range(devices + 1) if binomial_tail(devices, left, size - 1) <= rare)
    most = min(size for size in range(devices + 1) if 1 - binomial_tail(devices, sampling_rate, size) <= rare)
    if quorum < FEWEST_DEVICES:
        raise UsageError(
            f"a cohort of {devices * sampling_rate:.0f} with a dropout of {dropout:.0%} may leave fewer than "
            f"{FEWEST_DEVICES} devices, too few for secure aggregation; ask for a larger cohort"
        )
    return CohortBounds(quorum, most)


def expected_aborts(devices: int, sampling_rate: float, dropout: float, threat_model: ThreatModel) -> float:
    """Return a bound on the share of rounds in which too few neighbours are left, over the cohorts that are drawn."""
    bounds = bound_cohort(devices, sampling_rate, dropout)
    total = 0.0
    for size in range(bounds.quorum, bounds.most + 1):
        drawn = binomial_tail(devices, sampling_rate, size) - binomial_tail(devices, sampling_rate, size - 1)
        # A size that is hardly ever drawn isn't worth its graph: as if it always aborted.
        total += drawn * (_aborts(size, dropout, threat_model) if drawn > _HARDLY_EVER else 1.0)
    return total


def require_rare_aborts(devices: int, sampling_rate: float, dropout: float, threat_model: ThreatModel) -> None:
    """Refuse cohorts of which more than one in 10,000 would be left without enough neighbours.

    Raises:
        UsageError: With what would be accepted.
    """
    aborts = expected_aborts(devices, sampling_rate, dropout, threat_model)
    if aborts > MOST_ABORTED:
        accepted = [
            *_larger_cohort(devices, sampling_rate, dropout, threat_model),
            _smaller_dropout(devices, sampling_rate, dropout, threat_model),
            *_weaker_server(devices, sampling_rate, dropout, threat_model),
        ]
        raise UsageError(
            f"a cohort of {devices * sampling_rate:.0f} with a dropout of {dropout:.0%} would abort {aborts:.2%} of "
            f"the secure rounds against the {threat_model} server, and {MOST_ABORTED:.2%} is the most: ask for "
            + " or ".join(accepted)
        )


def _aborts(size: int, dropout: float, threat_model: ThreatModel) -> float:
    return abort_probability(size, dropout, choose_neighbourhood(size, dropout, threat_model), threat_model)


def _larger_cohort(devices: int, sampling_rate: float, dropout: float, threat_model: ThreatModel) -> list[str]:
    """Name a cohort that would be accepted, and a population that has it; nothing where none of those tried would."""
    for factor in _LARGER:
        cohort = math.ceil(factor * devices * sampling_rate)
        population = max(devices, cohort)
        if expected_aborts(population, cohort / population, dropout, threat_model) <= MOST_ABORTED:
            return [f"--cohort {cohort}" + (f" of --devices {population}" if population > devices else "")]
    return []


def _smaller_dropout(devices: int, sampling_rate: float, dropout: float, threat_model: ThreatModel) -> str:
    """Name the largest dropout, in whole percent, that would be accepted."""
    accepted, refused = 0, math.ceil(100 * dropout)
    while refused - accepted > 1:
        percent = (accepted + refused) // 2
        if expected_aborts(devices, sampling_rate, percent / 100, threat_model) <= MOST_ABORTED:
            accepted = percent
        else:
            refused = percent
    return f"--dropout {accepted / 100:g}"


def _weaker_server(devices: int, sampling_rate: float, dropout: float, threat_model: ThreatModel) -> list[str]:
    curious = ThreatModel.HONEST_BUT_CURIOUS
    if threat_model is curious or expected_aborts(devices, sampling_rate, dropout, curious) > MOST_ABORTED:
        return []
    return [f"--threat-model {curious}"]
