"""What a run's privacy figures stand for: real counts or simulated ones, and the device that spent most."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pytest
from opacus.accountants import PRVAccountant

from models.domain.privacy import Adversary, PrivacyMode, PrivacyUnit, SimulatedCounts
from models.domain.training import CallSteps
from models.privacy.accounting import DISTRIBUTED_ACCOUNTANT, sampled_gaussian_epsilon
from simulations.settings import RunSettings
from simulations.spending import (
    CALL_PRIVACY,
    CLIP_NORM,
    NOISE_MULTIPLIER,
    PERSON_DELTA,
    STANDS_FOR_COHORT,
    STANDS_FOR_POPULATION,
    history_of,
    plan_federation,
    state_privacy,
)

LITTLE = [CallSteps(1.0, 0.5, 10)]
MUCH = [CallSteps(1.0, 0.5, 10), CallSteps(1.0, 0.5, 10)]
MOST = [CallSteps(1.0, 1.0, 25)]
NONE: list[CallSteps] = []


def settings(mode: PrivacyMode, *, exact: bool = False) -> RunSettings:
    secure = mode is PrivacyMode.SECURE
    return RunSettings(
        devices=200 if secure else 20,
        cohort=50 if secure else 5,
        rounds=4,
        privacy=mode,
        exact_population=exact,
    )


def opacus_epsilon(*history: tuple[float, float, int]) -> float:
    accountant = PRVAccountant()
    accountant.history = list(history)
    with np.errstate(divide="ignore"):
        return float(accountant.get_epsilon(CALL_PRIVACY.delta))


def test_the_default_stands_for_a_large_population_and_says_which_counts_really_ran():
    plan = plan_federation(settings(PrivacyMode.PERSON))
    assert plan.simulated == SimulatedCounts(devices=20, cohort=5)
    for statement in state_privacy(plan, 4, {}):
        assert (statement.population, statement.cohort) == (STANDS_FOR_POPULATION, STANDS_FOR_COHORT)
        assert statement.simulated == SimulatedCounts(devices=20, cohort=5)


def test_the_exact_population_is_calibrated_to_the_devices_that_are_there_and_not_marked_simulated():
    plan = plan_federation(settings(PrivacyMode.PERSON, exact=True))
    assert plan.simulated is None
    assert plan.simulated_cohort is None
    recipients, server = state_privacy(plan, 4, {})
    for statement in (recipients, server):
        assert statement.simulated is None
        assert (statement.population, statement.cohort, statement.participations) == (20, 5, 4)
    assert recipients.epsilon == sampled_gaussian_epsilon(NOISE_MULTIPLIER, 5 / 20, 4, PERSON_DELTA)
    assert server.epsilon == sampled_gaussian_epsilon(NOISE_MULTIPLIER, 1.0, 4, PERSON_DELTA)


def test_the_true_epsilon_of_few_devices_is_far_above_that_of_the_many_they_stand_for():
    simulated, exact = (
        state_privacy(plan_federation(settings(PrivacyMode.PERSON, exact=exact)), 4, {})[0].epsilon
        for exact in (False, True)
    )
    assert exact > 3 * simulated


@pytest.mark.parametrize(
    ("mode", "units"),
    [
        (PrivacyMode.NONE, []),
        (PrivacyMode.PERSON, [PrivacyUnit.PERSON] * 2),
        (PrivacyMode.CALL, [PrivacyUnit.CALL] * 2),
        (PrivacyMode.BOTH, [PrivacyUnit.PERSON] * 2 + [PrivacyUnit.CALL] * 2),
        (PrivacyMode.SECURE, [PrivacyUnit.PERSON] * 2),
    ],
)
def test_each_mode_states_its_units_against_each_adversary_and_no_other(mode, units):
    statements = state_privacy(plan_federation(settings(mode)), 1, {1: LITTLE})
    assert [statement.unit for statement in statements] == units
    assert {statement.against for statement in statements} == (set(Adversary) if units else set())


def test_calls_are_stated_for_the_device_that_spent_most():
    plan = plan_federation(settings(PrivacyMode.CALL))
    of_each = [opacus_epsilon((1.0, 0.5, 10)), opacus_epsilon((1.0, 0.5, 20)), opacus_epsilon((1.0, 1.0, 25))]
    assert of_each == sorted(of_each)
    for statement in state_privacy(plan, 2, {1: LITTLE, 2: MOST, 3: MUCH, 4: NONE}):
        assert statement.epsilon == of_each[-1]
        assert statement.delta == CALL_PRIVACY.delta
        assert "spent most" in statement.sampler
        assert statement.participations == 2


def test_devices_that_took_no_step_have_spent_nothing():
    plan = plan_federation(settings(PrivacyMode.CALL))
    assert [statement.epsilon for statement in state_privacy(plan, 1, {1: NONE})] == [0.0, 0.0]


def test_steps_of_several_trainings_add_up():
    assert history_of(MUCH) == ((1.0, 0.5, 20),)


def test_stating_privacy_makes_no_noise():
    plan = plan_federation(settings(PrivacyMode.CALL))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        state_privacy(plan, 1, {1: [CallSteps(1.1, 1.0, 3)]})


def test_without_privacy_for_persons_updates_are_not_clipped():
    assert plan_federation(settings(PrivacyMode.NONE)).task.clip_norm is None
    assert plan_federation(settings(PrivacyMode.CALL)).task.clip_norm is None
    assert plan_federation(settings(PrivacyMode.BOTH)).task.clip_norm is not None


@pytest.mark.parametrize("exact", [False, True])
def test_under_secure_aggregation_a_quorums_noises_are_the_noise_that_is_asked_for(exact):
    plan = plan_federation(settings(PrivacyMode.SECURE, exact=exact))
    terms, privacy = plan.task.secure, plan.person_privacy
    assert terms is not None
    assert privacy is not None
    divisor = 50  # what the sum is divided by, whatever the noise stands for
    on_the_mean = terms.noise_deviation * terms.quorum**0.5 / divisor
    assert on_the_mean == pytest.approx(NOISE_MULTIPLIER * CLIP_NORM / privacy.cohort)
    assert plan.quorum == terms.quorum


@pytest.mark.parametrize("exact", [False, True])
def test_secure_figures_are_near_the_gaussians_and_never_below_them(exact):
    secure, central = (
        state_privacy(plan_federation(replace(settings(PrivacyMode.SECURE, exact=exact), privacy=mode)), 4, {})
        for mode in (PrivacyMode.SECURE, PrivacyMode.PERSON)
    )
    for ours, theirs in zip(secure, central, strict=True):
        assert theirs.epsilon <= ours.epsilon <= 3 * theirs.epsilon
        assert (ours.against, ours.relation, ours.simulated) == (theirs.against, theirs.relation, theirs.simulated)
        assert ours.accountant == DISTRIBUTED_ACCOUNTANT
