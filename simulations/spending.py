"""The privacy plan of a simulation, and what it has spent, in every unit and against every adversary."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from fl_server.aggregation import ServerStep
from fl_server.robust_rules import RobustPlan
from fl_server.rounds import FederationPlan
from models.domain.privacy import (
    AdaptiveClipping,
    Adversary,
    CallPrivacy,
    ClippingRule,
    Mechanism,
    NeighbouringRelation,
    PersonPrivacy,
    PrivacyMode,
    PrivacyStatement,
    PrivacyUnit,
    SimulatedCounts,
)
from models.domain.secure_aggregation import DistributedNoise, SecureTerms
from models.domain.training import CallSteps, LocalTask
from models.privacy.accounting import state_person_privacy
from models.privacy.call_accounting import call_epsilon, history_of, renyi_epsilon
from models.privacy.secure_aggregation.quorum import bound_cohort
from models.privacy.secure_vector import VectorCode
from simulations.settings import RunSettings

STANDS_FOR_POPULATION, STANDS_FOR_COHORT = 100_000, 1_000
"""What the few simulated devices stand for, unless the exact population is asked for."""

CLIP_NORM, NOISE_MULTIPLIER, PERSON_DELTA, PARTICIPATIONS = 0.5, 1.0, 1e-6, 5

CALL_PRIVACY = CallPrivacy(clip_norm=1.0, noise_multiplier=1.0, batch_calls=4, delta=1e-5)

SERVER_STEP = ServerStep(learning_rate=60.0, momentum=0.9)
"""Devices take small steps, so that hardly an update is clipped, and their mean is short: the server's step is long.

Momentum evens out how many of a round's devices hold vishing calls (decision 13)."""

LOCAL_EPOCHS, LOCAL_BATCH, LOCAL_LEARNING_RATE, VISHING_WEIGHT = 3, 8, 0.03, 3.0

FEWEST_WORDS, MOST_WORDS = 15, 103
"""Words spoken in the first 10 s and 60 s of a call."""

DEADLINE_SECONDS = 86_400.0
"""Simulated devices train one after another, so the time that a round takes says nothing of a real one's."""

TREE_NOISE_MULTIPLIER, TREE_ROUNDS, SEPARATION = 4.0, 32, 8
"""DP-FTRL: a running sum carries the noise of a few nodes, not of all its rounds, so that each node can carry more."""

CLIPPING_QUANTILE, CLIPPING_LEARNING_RATE, WIDEST_CLIP, NARROWEST_CLIP = 0.5, 0.2, 3.0, 0.01
"""Median of the norms and step of Andrew et al. 2021; their noise on the count is a twentieth of the cohort."""

BAD_SHARE = 0.2
"""Bad devices in a cohort that a robust rule is set up for."""


CallSpending = Mapping[int, Sequence[CallSteps]]
"""DP-SGD steps of every device, a training each, by the device's number; empty where it took none."""


def plan_federation(settings: RunSettings) -> FederationPlan:
    """Return the plan that the settings ask for."""
    person = _person_privacy(settings) if settings.privacy.protects_persons else None
    scaled = person is not None and not settings.exact_population
    secure = None
    if person is not None and settings.privacy is PrivacyMode.SECURE:
        secure = _secure_terms(settings, person)
        person = replace(person, distributed=_distributed_noise(settings, person, secure))
    return FederationPlan(
        rounds=settings.rounds,
        sampling_rate=settings.sampling_rate,
        quorum=max(1, settings.cohort // 4) if secure is None else secure.quorum,
        deadline_seconds=DEADLINE_SECONDS,
        task=LocalTask(
            round_number=1,
            epochs=LOCAL_EPOCHS,
            batch_calls=LOCAL_BATCH,
            learning_rate=LOCAL_LEARNING_RATE,
            vishing_weight=VISHING_WEIGHT,
            shortest_words=FEWEST_WORDS,
            longest_words=MOST_WORDS,
            clip_norm=person.clip_norm if person else None,
            call_privacy=CALL_PRIVACY if settings.privacy.protects_calls else None,
            seed=settings.seed,
            secure=secure,
        ),
        step=SERVER_STEP,
        person_privacy=person,
        simulated=SimulatedCounts(settings.devices, settings.cohort) if scaled else None,
        robust=RobustPlan(settings.robust, BAD_SHARE) if settings.robust else None,
    )


def state_privacy(plan: FederationPlan, rounds: int, devices: CallSpending) -> list[PrivacyStatement]:
    """Return what so many rounds guarantee: persons against each adversary, calls on the device that spent most."""
    statements = []
    if plan.person_privacy is not None:
        statements += state_person_privacy(plan.person_privacy, rounds, plan.simulated)
    if plan.task.call_privacy is not None:
        statements += _state_call_privacy(plan.task.call_privacy, rounds, devices)
    return statements


def _person_privacy(settings: RunSettings) -> PersonPrivacy:
    exact = settings.exact_population
    trees = settings.mechanism is Mechanism.FTRL
    separation = max(1, settings.devices // (2 * settings.cohort)) if exact else SEPARATION
    participations = -(-settings.rounds // separation) if trees and exact else settings.rounds
    cohort = settings.cohort if exact else STANDS_FOR_COHORT
    return PersonPrivacy(
        clip_norm=CLIP_NORM,
        noise_multiplier=TREE_NOISE_MULTIPLIER if trees else NOISE_MULTIPLIER,
        cohort=cohort,
        population=settings.devices if exact else STANDS_FOR_POPULATION,
        rounds=settings.rounds,
        participations=participations if exact else min(PARTICIPATIONS, settings.rounds),
        delta=PERSON_DELTA,
        mechanism=settings.mechanism,
        separation=separation if trees else 1,
        tree_rounds=TREE_ROUNDS,
        adaptive=_adaptive_clipping(cohort) if settings.clipping is ClippingRule.ADAPTIVE else None,
    )


def _secure_terms(settings: RunSettings, person: PersonPrivacy) -> SecureTerms:
    """Return the terms under which a quorum's noises add up to the noise that the plan asks for."""
    bounds = bound_cohort(settings.devices, settings.sampling_rate, settings.dropout)
    target = person.noise_multiplier * person.clip_norm * settings.cohort / person.cohort
    return SecureTerms(
        settings.threat_model, settings.dropout, bounds.quorum, bounds.most, target / math.sqrt(bounds.quorum)
    )


def _distributed_noise(settings: RunSettings, person: PersonPrivacy, terms: SecureTerms) -> DistributedNoise:
    """Return what is accounted: where few devices stand for more, the noise on the mean is that of the more."""
    noise = VectorCode(1, person.clip_norm, terms, b"").noise()
    return replace(noise, deviation=noise.deviation * person.cohort / settings.cohort)


def _adaptive_clipping(cohort: int) -> AdaptiveClipping:
    # Below a cohort of 40 a twentieth would take more than the count's share from the updates.
    bit_noise = max(cohort / 20, 2 * NOISE_MULTIPLIER)
    return AdaptiveClipping(CLIPPING_QUANTILE, CLIPPING_LEARNING_RATE, bit_noise, NARROWEST_CLIP, WIDEST_CLIP)


def _state_call_privacy(privacy: CallPrivacy, rounds: int, devices: CallSpending) -> list[PrivacyStatement]:
    """The noise is on the device already: recipients and server see the same, so the figures are the same."""
    histories = {history_of(trainings) for trainings in devices.values()}
    worst = max(histories, key=lambda history: renyi_epsilon(history, privacy.delta), default=())
    epsilon = call_epsilon(worst, privacy.delta)
    trainings = max((len(taken) for taken in devices.values()), default=0)
    return [
        PrivacyStatement(
            unit=PrivacyUnit.CALL,
            against=against,
            relation=NeighbouringRelation.ADD_OR_REMOVE,
            epsilon=epsilon,
            delta=privacy.delta,
            accountant="PRV (Opacus)",
            sampler="Poisson, over the calls of one device; the device that spent most",
            population=len(devices),
            cohort=privacy.batch_calls,
            rounds=rounds,
            participations=trainings,
            simulated=None,
            mechanism=Mechanism.DP_SGD,
        )
        for against in Adversary
    ]
