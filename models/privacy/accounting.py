"""What a run spends, by unit of privacy and adversary. Composition is dp-accounting's.

Sources: Abadi et al. 2016 (subsampled Gaussian); Koskela et al. 2020 and Doroshenko et al. 2022 (privacy loss
distributions); Mironov 2017 and Mironov et al. 2019 (RDP); for DP-FTRL see ``tree_accounting``, for
noise that devices add in shares ``distributed_accounting``. Against recipients, who
see released models only, Poisson sampling of the cohort amplifies. Against a server that sees noised sums and knows who
took part, nothing is amplified: the guarantee composes over one person's participations. Where the server itself takes
in single updates and adds the noise, it is trusted not to look before that, and the figure against it is about whoever
reads what it keeps afterwards. DP-FTRL relies on no draw of the cohort, so nothing is amplified against anybody.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from functools import lru_cache

from dp_accounting import (
    DpEvent,
    GaussianDpEvent,
    NeighboringRelation,
    PoissonSampledDpEvent,
    PrivacyAccountant,
    SelfComposedDpEvent,
)
from dp_accounting.pld import PLDAccountant
from dp_accounting.rdp import RdpAccountant

from models.domain.privacy import (
    Adversary,
    ClippingRule,
    Mechanism,
    NeighbouringRelation,
    PersonPrivacy,
    PrivacyStatement,
    PrivacyUnit,
    SimulatedCounts,
    require_delta,
)
from models.errors import UsageError
from models.privacy.distributed_accounting import distributed_epsilon
from models.privacy.tree_accounting import planned_trees, trees_sensitivity_squared

DISTRIBUTED_ACCOUNTANT = "RDP (distributed discrete Gaussian)"
"""Ours, for noise that devices add in shares; it stands beside those below, which can't be told of such noise."""


class Accountant(StrEnum):
    """What adds up a mechanism's privacy loss. Both bound it from above; PLD is tighter."""

    PLD = "PLD (dp-accounting)"
    RDP = "RDP (dp-accounting)"


LOSS_STEP = 1e-3
"""Of PLD at a noise multiplier of 1. Losses shrink as noise grows: one fixed step would be all that is left of them."""

LARGEST_SPENDING = 1_000.0
"""An epsilon above which PLD is not asked: it would fill the memory with a figure that promises nobody anything."""


@lru_cache(maxsize=256)
def sampled_gaussian_epsilon(
    noise_multiplier: float,
    sampling_rate: float,
    compositions: int,
    delta: float,
    accountant: Accountant = Accountant.PLD,
) -> float:
    """Return epsilon of a Gaussian mechanism on Poisson-sampled cohorts, composed; add-or-remove neighbours.

    Args:
        noise_multiplier: Standard deviation of the noise over the sensitivity, above zero.
        sampling_rate: Probability with which each member is drawn, in (0, 1].
        compositions: How often the mechanism runs.
        delta: Probability with which the guarantee may fail; see ``require_delta``.
        accountant: What composes.

    Raises:
        UsageError: An argument is out of range or not finite.
    """
    require_delta(delta)
    _require_in_range(noise_multiplier, sampling_rate, compositions)
    if compositions == 0:
        return 0.0
    mechanism = (noise_multiplier, sampling_rate, compositions)
    with _quiet_log():
        return float(_new_accountant(accountant, *mechanism).compose(_gaussian_event(*mechanism)).get_epsilon(delta))


@contextmanager
def _quiet_log() -> Iterator[None]:
    """Keep dp-accounting from logging each order that it leaves out: a figure without it is looser, never wrong."""
    log = logging.getLogger("absl")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(level)


def _new_accountant(
    accountant: Accountant, noise_multiplier: float, sampling_rate: float, compositions: int
) -> PrivacyAccountant:
    """Return an accountant for about such a mechanism that has added up nothing yet; add-or-remove neighbours.

    For a Gaussian mechanism without sampling, adding a person and putting zeros in the place of their update move the
    sum alike, so the figure is also that of zeroing out.
    """
    if accountant is Accountant.RDP:
        return RdpAccountant(neighboring_relation=NeighboringRelation.ADD_OR_REMOVE_ONE)
    # Without sampling, all compositions are one Gaussian mechanism: its losses are larger than a single one's.
    scale = noise_multiplier / math.sqrt(compositions) if sampling_rate == 1 else noise_multiplier
    step = LOSS_STEP / max(1.0, scale)
    return PLDAccountant(NeighboringRelation.ADD_OR_REMOVE_ONE, value_discretization_interval=step)


def _gaussian_event(noise_multiplier: float, sampling_rate: float, compositions: int) -> DpEvent:
    """Return a Gaussian mechanism on Poisson-sampled cohorts, composed, as accountants take it."""
    event = GaussianDpEvent(noise_multiplier)
    if sampling_rate < 1.0:
        event = PoissonSampledDpEvent(sampling_rate, event)
    return SelfComposedDpEvent(event, compositions)


def _require_in_range(noise_multiplier: float, sampling_rate: float, compositions: int) -> None:
    if not (math.isfinite(noise_multiplier) and noise_multiplier > 0):
        raise UsageError(f"expected a noise multiplier above 0, got {noise_multiplier}")
    if not 0 < sampling_rate <= 1:
        raise UsageError(f"expected a sampling rate in (0, 1], got {sampling_rate}")
    if compositions < 0:
        raise UsageError(f"expected compositions of 0 or more, got {compositions}")


def require_countable(privacy: PersonPrivacy, against: Adversary) -> None:
    """Refuse a plan whose epsilon, by Renyi DP, is beyond all reason, before PLD is asked for it.

    Noise in shares is not PLD's matter: its accountant is as quick at any figure.

    Raises:
        UsageError: It spends more than ``LARGEST_SPENDING``.
    """
    if privacy.distributed is not None:
        return
    epsilon = person_epsilon(privacy, against, privacy.rounds, Accountant.RDP)
    if not epsilon <= LARGEST_SPENDING:
        raise UsageError(
            f"expected a plan that spends an epsilon of {LARGEST_SPENDING:,.0f} at most, got {epsilon:,.0f} against "
            f"{against} by RDP: it needs more noise or fewer rounds"
        )


def person_epsilon(
    privacy: PersonPrivacy, against: Adversary, rounds: int, accountant: Accountant = Accountant.PLD
) -> float:
    """Return user-level epsilon after so many rounds of a plan."""
    mechanism = composed_mechanism(privacy, against, rounds)
    if privacy.distributed is not None:
        return distributed_epsilon(privacy.distributed, *mechanism[1:], privacy.delta)
    return sampled_gaussian_epsilon(*mechanism, privacy.delta, accountant)


def composed_mechanism(privacy: PersonPrivacy, against: Adversary, rounds: int) -> tuple[float, float, int]:
    """Return what an adversary sees of so many rounds: noise multiplier, sampling rate, number of compositions."""
    if privacy.mechanism is Mechanism.FTRL:
        return trees_mechanism(privacy, planned_trees(rounds, privacy.tree_rounds))
    if amplified(privacy, against):
        return privacy.noise_multiplier, privacy.sampling_rate, rounds
    return privacy.noise_multiplier, 1.0, min(rounds, privacy.participations)


def trees_mechanism(privacy: PersonPrivacy, trees: Sequence[int]) -> tuple[float, float, int]:
    """Return trees of so many rounds each as one Gaussian mechanism, which is what anybody sees; zeroing out."""
    squared = trees_sensitivity_squared(trees, privacy.participations, privacy.separation)
    return (privacy.noise_multiplier / math.sqrt(squared), 1.0, 1) if squared else (privacy.noise_multiplier, 1.0, 0)


def state_person_privacy(
    privacy: PersonPrivacy, rounds: int, simulated: SimulatedCounts | None
) -> list[PrivacyStatement]:
    """Return what a run of so many rounds guarantees a person, against each adversary."""
    return [
        PrivacyStatement(
            unit=PrivacyUnit.PERSON,
            against=against,
            relation=_relation(privacy, against),
            epsilon=person_epsilon(privacy, against, rounds),
            delta=privacy.delta,
            accountant=Accountant.PLD if privacy.distributed is None else DISTRIBUTED_ACCOUNTANT,
            sampler="Poisson" if amplified(privacy, against) else "none",
            population=privacy.population,
            cohort=privacy.cohort,
            rounds=rounds,
            participations=privacy.participations,
            simulated=simulated,
            mechanism=privacy.mechanism,
            clipping=ClippingRule.FIXED if privacy.adaptive is None else ClippingRule.ADAPTIVE,
        )
        for against in Adversary
    ]


def amplified(privacy: PersonPrivacy, against: Adversary) -> bool:
    """Say whether Poisson sampling of the cohort may be relied on."""
    return against is Adversary.RECIPIENTS and privacy.mechanism is Mechanism.GAUSSIAN


def _relation(privacy: PersonPrivacy, against: Adversary) -> NeighbouringRelation:
    # The server knows who took part: what is hidden from it is what they sent, not that they were there. Cohorts that
    # phones choose themselves may be known to anybody.
    return NeighbouringRelation.ADD_OR_REMOVE if amplified(privacy, against) else NeighbouringRelation.ZERO_OUT
