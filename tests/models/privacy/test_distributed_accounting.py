"""Our accountant of noise in shares, against what can be computed exactly and against dp-accounting."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from dp_accounting import GaussianDpEvent, NeighboringRelation, PoissonSampledDpEvent, SelfComposedDpEvent
from dp_accounting.pld import privacy_loss_distribution as pld
from dp_accounting.rdp import RdpAccountant

from models.domain.privacy import Adversary, PersonPrivacy
from models.domain.secure_aggregation import DistributedNoise
from models.errors import UsageError
from models.privacy.accounting import DISTRIBUTED_ACCOUNTANT, person_epsilon, state_person_privacy
from models.privacy.distributed_accounting import distributed_epsilon, sampled_divergence, sum_divergence

DELTA = 1e-6
ONE = DistributedNoise(shares=1, deviation=8.0, sensitivity=6.0, dimension=1)


def discrete_gaussian(deviation: float, reach: int = 60) -> np.ndarray:
    values = np.arange(-reach, reach + 1)
    weights = np.exp(-(values**2) / (2 * deviation**2))
    return weights / weights.sum()


def divergence_of_the_sum(deviation: float, shares: int, shift: int, order: float) -> float:
    """Compute the Renyi divergence between a sum of discrete Gaussians and its shift from all probabilities."""
    total = discrete_gaussian(deviation)
    for _ in range(shares - 1):
        total = np.convolve(total, discrete_gaussian(deviation))
    shifted, plain = total[: len(total) - shift], total[shift:]
    both = (shifted > 1e-250) & (plain > 1e-250)
    parts = np.exp(order * np.log(shifted[both]) + (1 - order) * np.log(plain[both]))
    return float(np.log(parts.sum()) / (order - 1))


@pytest.mark.parametrize("deviation", [0.7, 1.0, 2.0])
@pytest.mark.parametrize("shares", [1, 2, 5])
@pytest.mark.parametrize("order", [1.5, 2.0, 6.0])
def test_the_divergence_of_a_sum_is_never_above_the_bound(deviation, shares, order):
    for shift in (1, 2):
        noise = DistributedNoise(shares, deviation, float(shift), 1)
        true, bound = divergence_of_the_sum(deviation, shares, shift, order), sum_divergence(noise, order)
        assert true <= bound * (1 + 1e-9)
        if deviation >= 2.0:
            assert bound < 1.0001 * true


def test_a_bound_that_counts_shares_that_arent_there_is_caught_by_that_test():
    broken = sum_divergence(DistributedNoise(4, 1.0, 1.0, 1), 2.0)
    assert divergence_of_the_sum(1.0, 2, 1, 2.0) > broken


@pytest.mark.parametrize("compositions", [1, 5, 40])
def test_epsilon_is_at_least_that_of_dp_accountings_discrete_gaussian_and_not_far_above(compositions):
    ours = distributed_epsilon(ONE, 1.0, compositions, DELTA)
    theirs = (
        pld.from_discrete_gaussian_mechanism(8.0, sensitivity=6, value_discretization_interval=1e-3)
        .self_compose(compositions)
        .get_epsilon_for_delta(DELTA)
    )
    assert theirs <= ours <= 1.12 * theirs


@pytest.mark.parametrize(("rate", "compositions"), [(0.01, 60), (0.1, 20), (0.25, 40)])
def test_sampled_epsilon_is_at_least_dp_accountings_by_pld_and_by_renyi_divergence(rate, compositions):
    noise = replace(ONE, deviation=1000.0, sensitivity=1000.0)
    ours = distributed_epsilon(noise, rate, compositions, DELTA)
    discrete = pld.from_discrete_gaussian_mechanism(
        30.0, sensitivity=30, sampling_prob=rate, value_discretization_interval=1e-3
    )
    renyi = RdpAccountant(neighboring_relation=NeighboringRelation.ADD_OR_REMOVE_ONE)
    renyi.compose(SelfComposedDpEvent(PoissonSampledDpEvent(rate, GaussianDpEvent(1.0)), compositions))
    assert discrete.self_compose(compositions).get_epsilon_for_delta(DELTA) <= ours
    assert renyi.get_epsilon(DELTA) <= ours <= 1.6 * renyi.get_epsilon(DELTA)


def test_the_sampled_divergence_is_the_theorems_term_by_term():
    """Order 3, rate 1/2 and a divergence of log 2 at every order: 1/4 * 2 + 3 * 1/8 * 2 + 3 * 1/8 * 2^2 = 11/4."""
    assert sampled_divergence(lambda _order: math.log(2), 0.5, 3) == pytest.approx(math.log(11 / 4) / 2)


def test_sampling_everybody_amplifies_nothing_and_rarer_sampling_costs_less():
    whole = sum_divergence(ONE, 4)
    by_rate = [sampled_divergence(lambda order: sum_divergence(ONE, order), rate, 4) for rate in (0.01, 0.1, 0.5)]
    assert by_rate == sorted(by_rate)
    assert by_rate[-1] < whole * 1.5
    assert by_rate[0] < whole / 100


def test_epsilon_grows_with_rounds_and_falls_with_noise_and_shares():
    epsilons = [distributed_epsilon(ONE, 1.0, rounds, DELTA) for rounds in (0, 1, 2, 10)]
    assert epsilons == sorted(epsilons)
    assert epsilons[0] == 0.0
    assert distributed_epsilon(replace(ONE, shares=4), 1.0, 1, DELTA) < epsilons[1]
    assert distributed_epsilon(replace(ONE, deviation=16.0), 1.0, 1, DELTA) < epsilons[1]


def test_too_little_noise_per_device_costs_dearly_in_many_dimensions():
    """With a deviation of 0.6 a sum is far from a discrete Gaussian, as an attacker of many coordinates could see."""
    thin = DistributedNoise(100, 0.6, 6.0, 10_000)
    wide = DistributedNoise(100, 100.0, 1000.0, 10_000)
    assert distributed_epsilon(thin, 1.0, 1, DELTA) > 2 * distributed_epsilon(wide, 1.0, 1, DELTA)


@pytest.mark.parametrize(
    "arguments",
    [(0.0, 1, DELTA), (1.1, 1, DELTA), (0.5, -1, DELTA), (0.5, 1, 0.0), (0.5, 1, 1e-300), (0.5, 1, math.nan)],
)
def test_arguments_out_of_range_are_refused(arguments):
    with pytest.raises(UsageError):
        distributed_epsilon(ONE, *arguments)


@pytest.mark.parametrize("change", [{"deviation": 0.4}, {"shares": 0}])
def test_noise_that_the_bound_doesnt_hold_for_is_refused(change):
    with pytest.raises(UsageError):
        sum_divergence(replace(ONE, **change), 2.0)


def test_statements_name_the_accountant_of_the_noise():
    noise = DistributedNoise(40, 2.0**20, 2.0**20 * math.sqrt(40), 2**17)
    central = PersonPrivacy(1.5, 1.0, 50, 200, 40, 5, DELTA)
    secure = replace(central, distributed=noise)
    for statement in state_person_privacy(secure, 40, None):
        assert statement.accountant == DISTRIBUTED_ACCOUNTANT
        assert statement.epsilon == person_epsilon(secure, statement.against, 40)
        assert statement.epsilon >= person_epsilon(central, statement.against, 40)
    server = person_epsilon(secure, Adversary.SERVER, 40)
    assert server == distributed_epsilon(noise, 1.0, 5, DELTA)
    assert server < 1.1 * person_epsilon(central, Adversary.SERVER, 40)
