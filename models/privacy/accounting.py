"""What a run spends, by unit of privacy and adversary. Composition is dp-accounting's (PLD).

Sources: Abadi et al. 2016 (subsampled Gaussian); Koskela et al. 2020 and Doroshenko et al. 2022 (privacy loss
distributions). Where devices add the noise in shares the accountant is ours, in ``distributed_accounting``. Against
recipients, who see released models only, Poisson sampling of the cohort amplifies. Against a server that sees noised
sums and knows who took part, nothing is amplified: the guarantee composes over one person's participations. Where the
server itself takes in single updates and adds the noise, it is trusted not to look before that, and the figure against
it is about whoever reads what it keeps afterwards.
"""

from __future__ import annotations

import math
from functools import lru_cache

from dp_accounting import GaussianDpEvent, NeighboringRelation, PoissonSampledDpEvent, SelfComposedDpEvent
from dp_accounting.pld import PLDAccountant

from models.domain.privacy import (
    Adversary,
    NeighbouringRelation,
    PersonPrivacy,
    PrivacyStatement,
    PrivacyUnit,
    SimulatedCounts,
)
from models.errors import UsageError
from models.privacy.distributed_accounting import distributed_epsilon

ACCOUNTANT, DISTRIBUTED_ACCOUNTANT = "PLD (dp-accounting)", "RDP (distributed discrete Gaussian)"

_RELATIONS = {
    Adversary.RECIPIENTS: NeighbouringRelation.ADD_OR_REMOVE,
    # The server knows who took part: what is hidden from it is what they sent, not that they were there.
    Adversary.SERVER: NeighbouringRelation.ZERO_OUT,
}


@lru_cache(maxsize=256)
def sampled_gaussian_epsilon(noise_multiplier: float, sampling_rate: float, compositions: int, delta: float) -> float:
    """Return epsilon of a Gaussian mechanism on Poisson-sampled cohorts, composed; add-or-remove neighbours.

    Args:
        noise_multiplier: Standard deviation of the noise over the sensitivity, above zero.
        sampling_rate: Probability with which each member is drawn, in (0, 1].
        compositions: How often the mechanism runs.
        delta: Probability with which the guarantee may fail, in (0, 1).

    Raises:
        UsageError: An argument is out of range or not finite.
    """
    _require_in_range(noise_multiplier, sampling_rate, compositions, delta)
    if compositions == 0:
        return 0.0
    event = PoissonSampledDpEvent(sampling_rate, GaussianDpEvent(noise_multiplier))
    if sampling_rate == 1.0:
        event = GaussianDpEvent(noise_multiplier)
    accountant = PLDAccountant(NeighboringRelation.ADD_OR_REMOVE_ONE, value_discretization_interval=1e-3)
    return float(accountant.compose(SelfComposedDpEvent(event, compositions)).get_epsilon(delta))


def _require_in_range(noise_multiplier: float, sampling_rate: float, compositions: int, delta: float) -> None:
    if not (math.isfinite(noise_multiplier) and noise_multiplier > 0):
        raise UsageError(f"expected a noise multiplier above 0, got {noise_multiplier}")
    if not 0 < sampling_rate <= 1:
        raise UsageError(f"expected a sampling rate in (0, 1], got {sampling_rate}")
    if not 0 < delta < 1:
        raise UsageError(f"expected a delta in (0, 1), got {delta}")
    if compositions < 0:
        raise UsageError(f"expected compositions of 0 or more, got {compositions}")


def person_epsilon(privacy: PersonPrivacy, against: Adversary, rounds: int) -> float:
    """Return user-level epsilon after so many rounds of a plan."""
    seen = rounds if against is Adversary.RECIPIENTS else min(rounds, privacy.participations)
    rate = privacy.sampling_rate if against is Adversary.RECIPIENTS else 1.0
    if privacy.distributed is not None:
        return distributed_epsilon(privacy.distributed, rate, seen, privacy.delta)
    return sampled_gaussian_epsilon(privacy.noise_multiplier, rate, seen, privacy.delta)


def state_person_privacy(
    privacy: PersonPrivacy, rounds: int, simulated: SimulatedCounts | None
) -> list[PrivacyStatement]:
    """Return what a run of so many rounds guarantees a person, against each adversary."""
    return [
        PrivacyStatement(
            unit=PrivacyUnit.PERSON,
            against=against,
            relation=_RELATIONS[against],
            epsilon=person_epsilon(privacy, against, rounds),
            delta=privacy.delta,
            accountant=ACCOUNTANT if privacy.distributed is None else DISTRIBUTED_ACCOUNTANT,
            sampler="Poisson" if against is Adversary.RECIPIENTS else "none",
            population=privacy.population,
            cohort=privacy.cohort,
            rounds=rounds,
            participations=privacy.participations,
            simulated=simulated,
        )
        for against in Adversary
    ]
