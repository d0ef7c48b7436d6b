from __future__ import annotations

import math
import random
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2, chisquare

from models.domain.statistic import VERDICT
from models.errors import BadInputError
from models.privacy.local_randomiser import Encoding, LocalRandomiser
from models.privacy.randomised_response import direct_odds
from models.privacy.unary_encoding import unary_odds

FEW = VERDICT.values
MANY = tuple(f"value {place:02d}" for place in range(16))
"""More than 3 e^1 + 2 = 10.2 values: at epsilon 1 told in bits, at epsilon 2 (3 e^2 + 2 = 24.2) directly."""

DRAWS = 20_000
ALPHA = 1e-4


def supports(randomiser: LocalRandomiser, value: str, draws: int, seed: int = 11) -> dict[str, int]:
    rng = random.Random(seed)
    tally = Counter(told for _ in range(draws) for told in randomiser.randomise(value, rng))
    return {value: tally[value] for value in randomiser.values}


def is_direct_of(observed: dict[str, int], value: str, epsilon: float) -> bool:
    truth, other = direct_odds(len(observed), epsilon)
    draws = sum(observed.values())
    expected = [draws * (truth if name == value else other) for name in observed]
    return bool(chisquare(list(observed.values()), expected).pvalue > ALPHA)


def is_unary_of(observed: dict[str, int], value: str, epsilon: float, draws: int) -> bool:
    truth, other = unary_odds(epsilon)
    odds = np.array([truth if name == value else other for name in observed])
    seen = np.array(list(observed.values()))
    distance = float((((seen - draws * odds) ** 2) / (draws * odds * (1 - odds))).sum())
    return bool(chi2.sf(distance, len(odds)) > ALPHA)


def test_the_encoding_with_the_smaller_variance_is_taken() -> None:
    assert LocalRandomiser(FEW, 1.0).encoding is Encoding.DIRECT
    assert LocalRandomiser(MANY, 1.0).encoding is Encoding.UNARY
    assert LocalRandomiser(MANY, 2.0).encoding is Encoding.DIRECT
    for size in range(2, 40):
        for epsilon in (0.3, 1.0, 2.0):
            spreads = [other * (1 - other) / (truth - other) ** 2 for truth, other in _both_odds(size, epsilon)]
            better = Encoding.DIRECT if spreads[0] <= spreads[1] else Encoding.UNARY
            assert LocalRandomiser(tuple(map(str, range(size))), epsilon).encoding is better


def _both_odds(size: int, epsilon: float) -> tuple[tuple[float, float], tuple[float, float]]:
    return direct_odds(size, epsilon), unary_odds(epsilon)


@pytest.mark.parametrize("epsilon", [0.5, 1.0, 2.0, 3.7])
def test_direct_answers_follow_the_epsilon_that_was_asked_for_and_no_other(epsilon: float) -> None:
    observed = supports(LocalRandomiser(FEW, epsilon), "normal", DRAWS)
    assert is_direct_of(observed, "normal", epsilon)
    for wrong in (epsilon * 1.3, epsilon * 0.7):
        assert not is_direct_of(observed, "normal", wrong)


@pytest.mark.parametrize("epsilon", [0.5, 1.0])
def test_answers_in_bits_follow_the_epsilon_that_was_asked_for_and_no_other(epsilon: float) -> None:
    observed = supports(LocalRandomiser(MANY, epsilon), MANY[3], DRAWS)
    assert is_unary_of(observed, MANY[3], epsilon, DRAWS)
    for wrong in (epsilon * 1.3, epsilon * 0.7):
        assert not is_unary_of(observed, MANY[3], wrong, DRAWS)


def test_no_direct_answer_tells_more_than_epsilon_allows() -> None:
    epsilon = 1.0
    of_none, of_dangerous = (supports(LocalRandomiser(FEW, epsilon), value, DRAWS) for value in ("none", "dangerous"))
    for answer in FEW:
        assert abs(math.log(of_none[answer] / of_dangerous[answer])) < epsilon + 0.1
    # The bound is met, so the test would notice a weaker guarantee.
    assert math.log(of_dangerous["dangerous"] / of_none["dangerous"]) > epsilon - 0.1


@given(st.integers(2, 60), st.floats(0.05, 8.0))
def test_no_answer_of_either_encoding_tells_more_than_epsilon_allows(size: int, epsilon: float) -> None:
    truth, other = direct_odds(size, epsilon)
    assert math.log(truth / other) == pytest.approx(epsilon)
    # Two values change two bits: the loudest answer holds the one and lacks the other.
    truth, other = unary_odds(epsilon)
    assert math.log(truth / other * (1 - other) / (1 - truth)) == pytest.approx(epsilon)


def test_the_odds_are_the_textbooks() -> None:
    # e^2 / (e^2 + 3) = 7.389 / 10.389 = .7112; 1 / (e + 1) = .2689
    assert direct_odds(4, 2.0)[0] == pytest.approx(0.7112, abs=1e-4)
    assert unary_odds(1.0) == (0.5, pytest.approx(0.2689, abs=1e-4))


def test_an_answer_is_known_from_what_no_device_can_have_sent() -> None:
    direct, unary = LocalRandomiser(FEW, 1.0), LocalRandomiser(MANY, 1.0)
    assert direct.is_answer(["normal"])
    assert not any(direct.is_answer(answer) for answer in ([], ["none", "normal"], ["other"]))
    assert unary.is_answer([])
    assert unary.is_answer(MANY)
    assert not any(unary.is_answer(answer) for answer in ([MANY[1], MANY[0]], [MANY[0], MANY[0]], ["other"]))
    rng = random.Random(2)
    assert all(unary.is_answer(unary.randomise(MANY[0], rng)) for _ in range(50))


@given(st.lists(st.integers(0, 10_000), min_size=2, max_size=8).filter(any), st.floats(1.0, 8.0))
def test_direct_shares_add_up_to_one_and_intervals_stay_between_zero_and_one(
    tallies: list[int], epsilon: float
) -> None:
    counts = {str(place): count for place, count in enumerate(tallies)}
    estimates = LocalRandomiser(tuple(counts), epsilon).estimate(counts, sum(tallies))
    assert sum(estimate.share for estimate in estimates.values()) == pytest.approx(1, abs=1e-6)
    assert all(0 <= estimate.low <= estimate.high <= 1 for estimate in estimates.values())


@pytest.mark.parametrize("randomiser", [LocalRandomiser(FEW, 2.0), LocalRandomiser(MANY, 1.0)])
def test_expected_counts_give_back_the_true_shares(randomiser: LocalRandomiser) -> None:
    truth, other = randomiser.odds
    held = dict(
        zip(randomiser.values, np.random.default_rng(1).dirichlet(np.ones(len(randomiser.values))), strict=True)
    )
    counts = {value: round(10**9 * (other + (truth - other) * share)) for value, share in held.items()}
    reports = sum(counts.values()) if randomiser.encoding is Encoding.DIRECT else 10**9
    for value, estimate in randomiser.estimate(counts, reports).items():
        assert estimate.share == pytest.approx(held[value], abs=1e-6)


@pytest.mark.parametrize(("values", "epsilon"), [(FEW, 2.0), (MANY, 1.0)])
def test_estimates_are_unbiased_and_as_spread_as_said_and_those_of_a_wrong_epsilon_are_not(
    values: tuple[str, ...], epsilon: float
) -> None:
    randomiser, rng = LocalRandomiser(values, epsilon), random.Random(5)
    held = [4, 8] + [1] * (len(values) - 2)
    windows, reports = 60, 250
    shares = np.array(held) / sum(held)
    counts = np.zeros((windows, len(values)), dtype=int)
    for window in range(windows):
        for value in rng.choices(values, held, k=reports):
            for told in randomiser.randomise(value, rng):
                counts[window, values.index(told)] += 1
    assert _fits(counts, reports, shares, randomiser)
    for wrong in (epsilon * 1.3, epsilon * 0.7):
        assert not _fits(counts, reports, shares, LocalRandomiser(values, wrong))


def _fits(counts: np.ndarray, reports: int, shares: np.ndarray, claimed: LocalRandomiser) -> bool:
    """Say whether windows' estimates lie about the true shares as the covariance claims: Hotelling's chi-square."""
    truth, other = claimed.odds
    away = ((counts / reports - other) / (truth - other) - shares)[:, :-1]
    covariance = claimed.covariance(shares, reports)[:-1, :-1]
    distances = np.einsum("wi,ij,wj->w", away, np.linalg.inv(covariance), away)
    mean = away.mean(axis=0)
    offset = len(away) * mean @ np.linalg.inv(covariance) @ mean
    freedom = away.size
    spread = chi2.cdf(distances.sum(), freedom)
    return bool(chi2.sf(offset, away.shape[1]) > ALPHA and ALPHA < spread < 1 - ALPHA)


@pytest.mark.parametrize("randomiser", [LocalRandomiser(FEW, 2.0), LocalRandomiser(MANY, 1.0)])
def test_simulated_counts_come_out_as_those_of_devices(randomiser: LocalRandomiser) -> None:
    shares = np.arange(1, len(randomiser.values) + 1) / sum(range(1, len(randomiser.values) + 1))
    generator = np.random.default_rng(4)
    counts = np.array([randomiser.draw_counts(shares, 300, generator) for _ in range(400)])
    assert _fits(counts, 300, shares, randomiser)
    wrong = LocalRandomiser(randomiser.values, randomiser.epsilon * 0.7)
    assert not _fits(np.array([wrong.draw_counts(shares, 300, generator) for _ in range(400)]), 300, shares, randomiser)


@pytest.mark.parametrize(("values", "epsilon"), [(FEW, 2.0), (MANY, 1.0)])
def test_intervals_hold_the_truth_as_often_as_they_say_and_those_of_a_wrong_epsilon_do_not(
    values: tuple[str, ...], epsilon: float
) -> None:
    shares = np.array([0.5, 0.4] + [0.1 / (len(values) - 2)] * (len(values) - 2))
    true, generator, held = LocalRandomiser(values, epsilon), np.random.default_rng(3), Counter[float]()
    for _ in range(400):
        counts = dict(zip(values, map(int, true.draw_counts(shares, 4000, generator)), strict=True))
        for factor in (1.0, 1.3, 0.7):
            estimate = LocalRandomiser(values, epsilon * factor).estimate(counts, 4000)[values[0]]
            held[factor] += estimate.low <= 0.5 <= estimate.high
    # Of 400 intervals of 95 %, 380 hold the truth; standard deviation 4.4.
    assert 360 <= held[1.0] <= 397
    assert held[1.3] < 320
    assert held[0.7] < 320


def test_the_standard_error_is_the_one_that_the_design_counts_on() -> None:
    # 50 reports, epsilon 1, 4 values, true share 0: sqrt(.1749 * .8251 / 50) / .3006 = .179; at epsilon 2 it is .068.
    for epsilon, expected in ((1.0, 0.179), (2.0, 0.068)):
        covariance = LocalRandomiser(FEW, epsilon).covariance([0, 1, 0, 0], 50)
        assert math.sqrt(covariance[0, 0]) == pytest.approx(expected, abs=0.001)


def test_without_a_generator_the_operating_systems_randomness_is_used() -> None:
    for randomiser in (LocalRandomiser(FEW, 0.1), LocalRandomiser(MANY, 0.1)):
        random.seed(1)
        first = [randomiser.randomise(randomiser.values[0]) for _ in range(64)]
        random.seed(1)
        assert first != [randomiser.randomise(randomiser.values[0]) for _ in range(64)]


@pytest.mark.parametrize(
    ("values", "epsilon"),
    [(("a",), 1.0), (("a", "a"), 1.0), (FEW, 0.0), (FEW, -1.0), (FEW, math.nan), (FEW, math.inf)],
)
def test_a_domain_or_an_epsilon_out_of_bounds_is_refused(values: tuple[str, ...], epsilon: float) -> None:
    with pytest.raises(BadInputError):
        LocalRandomiser(values, epsilon)


def test_a_value_outside_the_domain_is_refused_without_quoting_it() -> None:
    with pytest.raises(BadInputError) as refusal:
        LocalRandomiser(FEW, 1.0).randomise("other")
    assert "other" not in str(refusal.value)


@pytest.mark.parametrize(
    ("counts", "reports"),
    [({"a": 0, "b": 0}, 0), ({"a": 5, "b": -1}, 4), ({"a": 5, "b": 1}, 5), ({"a": 5}, 5), ({"a": 5, "c": 0}, 5)],
)
def test_counts_that_cannot_be_are_refused(counts: dict[str, int], reports: int) -> None:
    with pytest.raises(BadInputError):
        LocalRandomiser(("a", "b"), 1.0).estimate(counts, reports)
