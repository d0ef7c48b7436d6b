"""From a privacy target to the noise that it needs, and back."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from dp_accounting import GaussianDpEvent, PoissonSampledDpEvent, SelfComposedDpEvent
from dp_accounting.pld import PLDAccountant

from fl_server.calibration import SMALLEST_EPSILON, SMALLEST_NOISE, TOLERANCE, find_epsilon, find_noise, least_steps
from models.domain.privacy import MOST_ROUNDS, SMALLEST_DELTA, Adversary, Mechanism, PersonPrivacy
from models.errors import UsageError
from models.privacy.accounting import Accountant, person_epsilon

PLAN = PersonPrivacy(
    clip_norm=1.0,
    noise_multiplier=1.0,
    cohort=1_000,
    population=100_000,
    rounds=60,
    participations=5,
    delta=1e-6,
)
TREES = replace(PLAN, mechanism=Mechanism.FTRL, rounds=40, separation=8)


@pytest.mark.parametrize(("participations", "needed"), [(1, (2.231, 2.383)), (5, (4.988, 5.329))])
def test_epsilon_2_against_the_server_needs_the_noise_that_was_measured_apart(participations, needed):
    found = find_noise(replace(PLAN, participations=participations), Adversary.SERVER, 2.0)
    assert [each.accountant for each in found] == list(Accountant)
    assert [each.noise_multiplier for each in found] == pytest.approx(needed, abs=0.002)


@pytest.mark.parametrize(("privacy", "against"), [(PLAN, Adversary.SERVER), (TREES, Adversary.RECIPIENTS)])
def test_the_noise_found_keeps_epsilon_and_less_would_not(privacy, against):
    for found in find_noise(privacy, against, 3.0):
        less = replace(privacy, noise_multiplier=found.noise_multiplier - 3 * TOLERANCE)
        assert found.epsilon <= 3.0 < person_epsilon(less, against, privacy.rounds, found.accountant)


def test_against_recipients_sampling_lets_less_noise_do():
    tight, loose = find_noise(PLAN, Adversary.RECIPIENTS, 2.0)
    assert tight.noise_multiplier < loose.noise_multiplier < 1.0
    assert max(tight.epsilon, loose.epsilon) <= 2.0


def test_the_way_back_gives_the_figures_of_the_laboratory_run():
    tight, loose = find_epsilon(PLAN, Adversary.RECIPIENTS)
    assert (tight.epsilon, loose.epsilon) == pytest.approx((0.85, 1.44), abs=0.005)
    tight, loose = find_epsilon(PLAN, Adversary.SERVER)
    assert (tight.epsilon, loose.epsilon) == pytest.approx((12.6, 13.4), abs=0.05)


@pytest.mark.parametrize("against", list(Adversary))
@pytest.mark.parametrize("epsilon", [1e-5, 1e-3])
def test_a_tiny_epsilon_is_kept_too_and_needs_no_more_noise_by_the_tighter_accountant(against, epsilon):
    """With steps of one length for all noise, PLD asked for three times what Renyi DP did, or found none."""
    tight, loose = find_noise(PLAN, against, epsilon)
    assert tight.noise_multiplier < loose.noise_multiplier
    assert tight.epsilon <= epsilon
    assert loose.epsilon <= epsilon
    half = replace(PLAN, noise_multiplier=tight.noise_multiplier / 2)
    assert person_epsilon(half, against, PLAN.rounds) > epsilon


def test_the_smallest_delta_has_an_answer_and_one_further_down_would_have_none_at_any_noise():
    """PLD cuts 1e-15 off and counts it as certain failure: below, the search for enough noise never ended."""
    tight, loose = find_noise(replace(PLAN, delta=SMALLEST_DELTA), Adversary.RECIPIENTS, 2.0)
    assert tight.noise_multiplier < loose.noise_multiplier
    assert max(tight.epsilon, loose.epsilon) <= 2.0
    mechanism = SelfComposedDpEvent(PoissonSampledDpEvent(0.01, GaussianDpEvent(1e6)), 60)
    spent = PLDAccountant(value_discretization_interval=1e-6).compose(mechanism)
    assert spent.get_epsilon(SMALLEST_DELTA) < 0.001
    assert spent.get_epsilon(SMALLEST_DELTA / 10_000) == math.inf


@pytest.mark.parametrize(
    ("change", "against", "epsilon"),
    [
        ({"rounds": MOST_ROUNDS}, Adversary.RECIPIENTS, 1.0),
        ({"rounds": MOST_ROUNDS, "participations": 10**20}, Adversary.SERVER, 1.0),
        ({"rounds": 2_000, "participations": 2_000, "mechanism": Mechanism.FTRL}, Adversary.SERVER, 1.0),
        ({"rounds": 100, "participations": 10**11, "mechanism": Mechanism.FTRL}, Adversary.SERVER, 1.0),
        ({"tree_rounds": 10**14, "separation": 10**14, "mechanism": Mechanism.FTRL}, Adversary.SERVER, 1.0),
        ({}, Adversary.RECIPIENTS, SMALLEST_EPSILON),
    ],
)
def test_plans_at_the_ends_of_what_is_accepted_have_an_answer(change, against, epsilon):
    for found in find_noise(replace(PLAN, **change), against, epsilon):
        assert found.epsilon <= epsilon


@pytest.mark.parametrize("needed", [1, 50, 51, 999, 1000, 1001, 123_456, 999_999_999_999])
@pytest.mark.parametrize("guess", [50, 1000, 123_456_789])
def test_the_least_noise_is_found_from_any_guess_and_is_the_smallest_accepted_where_less_would_do(needed, guess):
    """Where less would do, as with one device drawn of 10^9, there was said to be none."""
    found = least_steps(lambda steps: steps >= needed, guess)
    assert max(needed, round(SMALLEST_NOISE / TOLERANCE)) <= found <= max(needed * (1 + 1e-5), 50)


def test_where_no_noise_is_enough_the_search_ends():
    with pytest.raises(UsageError, match="no noise multiplier of"):
        least_steps(lambda steps: False, 1000)


@pytest.mark.parametrize("epsilon", [0.0, -1.0, 1e-7, 1e6, math.nan, math.inf])
def test_an_epsilon_that_promises_nothing_is_refused(epsilon):
    with pytest.raises(UsageError):
        find_noise(PLAN, Adversary.SERVER, epsilon)
