"""How many devices a secure round must be left with, and may have at most: from how cohorts are drawn."""

from __future__ import annotations

from dataclasses import dataclass

from models.domain.secure_aggregation import FEWEST_DEVICES, ThreatModel
from models.errors import UsageError
from models.privacy.secure_aggregation.neighbourhood import (
    MOST_ABORTED,
    abort_probability,
    binomial_tail,
    choose_neighbourhood,
)


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
        shape = choose_neighbourhood(size, dropout, threat_model)
        total += drawn * abort_probability(size, dropout, shape, threat_model)
    return total


def require_rare_aborts(devices: int, sampling_rate: float, dropout: float, threat_model: ThreatModel) -> None:
    """Refuse cohorts of which more than one in 10,000 would be left without enough neighbours.

    Raises:
        UsageError: With what may be changed.
    """
    aborts = expected_aborts(devices, sampling_rate, dropout, threat_model)
    if aborts > MOST_ABORTED:
        raise UsageError(
            f"a cohort of {devices * sampling_rate:.0f} with a dropout of {dropout:.0%} would abort {aborts:.2%} of "
            f"the secure rounds against the {threat_model} server; ask for a larger cohort, a smaller dropout"
            + (", or --threat-model honest_but_curious" if threat_model is ThreatModel.ACTIVE else "")
        )
