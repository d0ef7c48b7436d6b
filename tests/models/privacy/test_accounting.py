"""What a run spends, held against other accountants and a closed form."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from opacus.accountants import PRVAccountant, RDPAccountant
from scipy.optimize import brentq
from scipy.stats import norm

from models.domain.privacy import Adversary, PersonPrivacy, SimulatedCounts
from models.errors import UsageError
from models.privacy.accounting import Accountant, person_epsilon, sampled_gaussian_epsilon, state_person_privacy

DELTA = 1e-6

PLAN = PersonPrivacy(
    clip_norm=1.0,
    noise_multiplier=1.0,
    cohort=1_000,
    population=100_000,
    rounds=60,
    participations=5,
    delta=DELTA,
)
"""The laboratory run whose figures were measured apart from this code."""

SAMPLED = [(1.0, 0.01, 60), (0.8, 0.05, 30), (2.0, 0.1, 100)]


def opacus_epsilon(accountant, multiplier, rate, steps):
    accountant.history = [(multiplier, rate, steps)]
    return accountant.get_epsilon(delta=DELTA)


def agrees_with_opacus(epsilon_of) -> bool:
    """Say whether an accountant is below RDP and close to PRV everywhere."""
    return all(
        epsilon_of(*mechanism, DELTA) <= opacus_epsilon(RDPAccountant(), *mechanism)
        and abs(epsilon_of(*mechanism, DELTA) - opacus_epsilon(PRVAccountant(), *mechanism)) <= 0.03
        for mechanism in SAMPLED
    )


def gaussian_epsilon(multiplier: float, times: int) -> float:
    """Epsilon of the composed Gaussian mechanism in closed form (Balle and Wang 2018, theorem 8)."""
    mu = math.sqrt(times) / multiplier

    def excess(epsilon: float) -> float:
        return float(norm.cdf(mu / 2 - epsilon / mu) - math.exp(epsilon) * norm.cdf(-mu / 2 - epsilon / mu) - DELTA)

    return float(brentq(excess, 0, 100))


def test_epsilon_agrees_with_the_accountants_of_opacus():
    assert agrees_with_opacus(sampled_gaussian_epsilon)


@pytest.mark.parametrize("mechanism", SAMPLED)
def test_renyi_dp_is_that_of_opacus_and_never_below_pld(mechanism):
    renyi = sampled_gaussian_epsilon(*mechanism, DELTA, Accountant.RDP)
    assert renyi == pytest.approx(opacus_epsilon(RDPAccountant(), *mechanism), rel=0.02)
    assert renyi > sampled_gaussian_epsilon(*mechanism, DELTA, Accountant.PLD)


@pytest.mark.parametrize(
    "broken",
    [
        lambda multiplier, rate, steps, delta: sampled_gaussian_epsilon(multiplier, rate, 1, delta),
        lambda multiplier, rate, steps, delta: sampled_gaussian_epsilon(multiplier, rate**2, steps, delta),
        lambda multiplier, rate, steps, delta: sampled_gaussian_epsilon(multiplier, 1.0, steps, delta),
        lambda multiplier, rate, steps, delta: sampled_gaussian_epsilon(1.3 * multiplier, rate, steps, delta),
        lambda multiplier, rate, steps, delta: sampled_gaussian_epsilon(multiplier, rate, steps, 100 * delta),
    ],
    ids=["no composition", "rate squared", "no amplification", "less noise", "another delta"],
)
def test_a_broken_accountant_is_caught(broken):
    assert not agrees_with_opacus(broken)


@pytest.mark.parametrize(("multiplier", "times"), [(1.0, 1), (1.0, 5), (4.99, 5), (2.23, 1)])
def test_without_sampling_epsilon_is_that_of_the_closed_form(multiplier, times):
    exact = gaussian_epsilon(multiplier, times)
    assert exact <= sampled_gaussian_epsilon(multiplier, 1.0, times, DELTA) <= exact + 0.02


def test_the_figures_of_the_laboratory_run_come_out():
    assert person_epsilon(PLAN, Adversary.RECIPIENTS, 60) == pytest.approx(0.85, abs=0.005)
    assert person_epsilon(PLAN, Adversary.SERVER, 60) == pytest.approx(12.6, abs=0.05)
    assert opacus_epsilon(RDPAccountant(), 1.0, 1.0, 5) == pytest.approx(13.4, abs=0.05)
    assert opacus_epsilon(RDPAccountant(), 1.0, 0.01, 60) == pytest.approx(1.44, abs=0.005)


def test_against_recipients_epsilon_grows_with_every_round():
    spent = [person_epsilon(PLAN, Adversary.RECIPIENTS, rounds) for rounds in range(6)]
    assert spent[0] == 0
    assert spent == sorted(set(spent))


def test_against_the_server_epsilon_stops_at_the_agreed_participations():
    spent = [person_epsilon(PLAN, Adversary.SERVER, rounds) for rounds in (0, 1, 5, 6, 60)]
    assert spent[0] == 0 < spent[1] < spent[2] == spent[3] == spent[4]


def test_the_server_is_never_promised_amplification_by_sampling():
    rare = replace(PLAN, population=10_000_000)
    assert person_epsilon(rare, Adversary.SERVER, 60) == person_epsilon(PLAN, Adversary.SERVER, 60)
    assert person_epsilon(rare, Adversary.RECIPIENTS, 60) < person_epsilon(PLAN, Adversary.RECIPIENTS, 60)


@pytest.mark.parametrize("noisier", [1.3, 2.0])
def test_more_noise_spends_less(noisier):
    for against in Adversary:
        louder = replace(PLAN, noise_multiplier=noisier)
        assert person_epsilon(louder, against, 60) < person_epsilon(PLAN, against, 60)


def test_a_statement_carries_everything_that_its_epsilon_means_nothing_without():
    simulated = SimulatedCounts(devices=200, cohort=20)
    recipients, server = state_person_privacy(PLAN, 60, simulated)
    assert (recipients.against, recipients.sampler) == ("recipients", "Poisson")
    assert (server.against, server.sampler) == ("server", "none")
    assert (recipients.relation, server.relation) == ("add_or_remove", "zero_out")
    for statement in (recipients, server):
        assert statement.epsilon == person_epsilon(PLAN, statement.against, 60)
        assert (statement.unit, statement.delta) == ("person", DELTA)
        assert (statement.population, statement.cohort, statement.rounds) == (100_000, 1_000, 60)
        assert (statement.participations, statement.simulated) == (5, simulated)
        assert "PLD" in statement.accountant


@pytest.mark.parametrize(
    "arguments",
    [
        (0.0, 0.1, 1, DELTA),
        (-1.0, 0.1, 1, DELTA),
        (math.nan, 0.1, 1, DELTA),
        (math.inf, 0.1, 1, DELTA),
        (1.0, 0.0, 1, DELTA),
        (1.0, 1.1, 1, DELTA),
        (1.0, math.nan, 1, DELTA),
        (1.0, 0.1, -1, DELTA),
        (1.0, 0.1, 1, 0.0),
        (1.0, 0.1, 1, 1e-300),
        (1.0, 0.1, 1, 1.0),
        (1.0, 0.1, 1, math.nan),
    ],
)
def test_a_mechanism_out_of_range_is_refused(arguments):
    with pytest.raises(UsageError):
        sampled_gaussian_epsilon(*arguments)


@pytest.mark.parametrize(
    "change",
    [
        {"clip_norm": 0.0},
        {"clip_norm": math.nan},
        {"clip_norm": math.inf},
        {"noise_multiplier": 0.0},
        {"noise_multiplier": math.nan},
        {"delta": 0.0},
        {"delta": 1e-13},
        {"rounds": 10_001},
        {"population": 10**11},
        {"cohort": 0},
        {"cohort": 100_001},
    ],
)
def test_a_plan_under_which_nobody_is_protected_is_refused(change):
    with pytest.raises(UsageError):
        replace(PLAN, **change)
