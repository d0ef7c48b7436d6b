"""The plan of a run and its rules."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fl_server.rounds import draw_cohort
from models.domain.privacy import SimulatedCounts
from models.errors import UsageError
from tests.small_federation import CALL_PRIVACY, PLAN, TASK


@pytest.mark.parametrize(
    "change",
    [
        {"sampling_rate": 0.0},
        {"sampling_rate": 1.2},
        {"sampling_rate": float("nan")},
        {"person_privacy": None},
        {"task": replace(TASK, clip_norm=None)},
        {"rounds": 4},
    ],
    ids=[
        "nobody drawn",
        "cohort larger than population",
        "rate NaN",
        "clip without plan",
        "plan without clip",
        "rounds",
    ],
)
def test_a_plan_that_cannot_be_carried_out_is_refused(change):
    with pytest.raises(UsageError):
        replace(PLAN, **change)


@pytest.mark.parametrize("change", [{"task": replace(TASK, clip_norm=2.0)}, {"sampling_rate": 0.9}])
def test_a_plan_whose_guarantee_would_be_another_is_refused(change):
    with pytest.raises(UsageError):
        replace(PLAN, **change)


def test_a_simulated_cohort_may_be_drawn_more_often_than_the_one_it_stands_for():
    assert replace(PLAN, sampling_rate=0.9, simulated=SimulatedCounts(6, 5)).simulated_cohort == 5


def test_a_real_cohort_stands_for_itself():
    assert PLAN.simulated_cohort is None


def test_each_round_has_the_same_task_under_its_own_number_with_what_the_plan_counts_on():
    assert PLAN.task_of(3, 0.5) == replace(TASK, round_number=3, clip_norm=0.5, participations=3, separation=1)


def test_devices_that_stand_for_many_others_are_not_told_how_often_a_person_takes_part():
    simulated = replace(PLAN, simulated=SimulatedCounts(6, 4))
    assert simulated.task_of(3, 1.0) == replace(TASK, round_number=3)


@pytest.mark.parametrize(
    "change",
    [
        {"rounds": 2},
        {"quorum": 2},
        {"task": replace(TASK, seed=8)},
        {"task": replace(TASK, call_privacy=CALL_PRIVACY)},
        {"step": replace(PLAN.step, momentum=0.5)},
        {"person_privacy": replace(PLAN.person_privacy, noise_multiplier=2.0)},
    ],
)
def test_another_plan_has_another_fingerprint(change):
    assert replace(PLAN, **change).digest() != PLAN.digest()
    assert replace(PLAN).digest() == PLAN.digest()


@given(nodes=st.lists(st.integers(1, 2**63), unique=True), seed=st.integers())
def test_a_cohort_holds_each_device_at_most_once_whatever_order_the_grid_names_them_in(nodes, seed):
    cohort = draw_cohort(nodes, 0.5, random.Random(seed))
    assert set(cohort) <= set(nodes)
    assert cohort == sorted(set(cohort))
    assert cohort == draw_cohort(nodes[::-1], 0.5, random.Random(seed))


def test_everybody_is_drawn_at_rate_one():
    assert draw_cohort([3, 1, 2], 1.0, random.SystemRandom()) == [1, 2, 3]


def rate_looks_like(cohorts: list[list[int]], rate: float) -> bool:
    """Say whether every device's share of rounds, and the spread of cohort sizes, fit independent draws."""
    rounds, devices = len(cohorts), 20
    tolerance = 5 * (rate * (1 - rate) / rounds) ** 0.5
    shares = [sum(node in cohort for cohort in cohorts) / rounds for node in range(devices)]
    sizes = [len(cohort) for cohort in cohorts]
    mean = sum(sizes) / rounds
    variance = sum((size - mean) ** 2 for size in sizes) / rounds
    return (
        all(abs(share - rate) < tolerance for share in shares) and 0.8 < variance / (devices * rate * (1 - rate)) < 1.2
    )


def test_devices_are_drawn_independently_with_the_plans_probability():
    generator = random.Random(1)
    assert rate_looks_like([draw_cohort(range(20), 0.3, generator) for _ in range(2_000)], 0.3)


def test_the_check_of_sampling_rejects_a_wrong_rate_and_a_cohort_of_fixed_size():
    generator = random.Random(1)
    assert not rate_looks_like([draw_cohort(range(20), 0.39, generator) for _ in range(2_000)], 0.3)
    assert not rate_looks_like([generator.sample(range(20), 6) for _ in range(2_000)], 0.3)
