"""Samples of the discrete Gaussian: the right distribution, exactly, and a check that rejects a wrong one."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from scipy.stats import binomtest, chisquare

from models.privacy.discrete_gaussian import happens_exp_minus, sample_discrete_gaussian
from models.privacy.randomness import SeededWords, SystemWords
from tests.noise_scale import ALPHA, is_gaussian_noise

COUNT = 20_000


def seeded(seed: int = 1) -> SeededWords:
    return SeededWords(np.random.default_rng(seed))


def chance_of(samples: np.ndarray, deviation: float, reach: int) -> float:
    """Return how likely such counts are under the discrete Gaussian's own probabilities, tails taken together."""
    weights = np.array([math.exp(-(value**2) / (2 * deviation**2)) for value in range(-400, 401)])
    inside = np.abs(np.arange(-400, 401)) <= reach
    expected = np.append(weights[inside], weights[~inside].sum()) / weights.sum() * len(samples)
    counts = np.bincount(np.clip(samples + reach + 1, 0, 2 * reach + 2), minlength=2 * reach + 3)
    observed = np.append(counts[1:-1], counts[0] + counts[-1])
    return float(chisquare(observed, expected).pvalue)


@pytest.mark.parametrize(("log2_deviation", "reach"), [(0, 2), (1, 5), (3, 20)])
def test_every_value_is_as_frequent_as_the_discrete_gaussian_says(log2_deviation, reach):
    samples = sample_discrete_gaussian(log2_deviation, COUNT, SystemWords())
    assert chance_of(samples, 2**log2_deviation, reach) > ALPHA
    for wrong in (0.7, 1.3):
        assert chance_of(samples, wrong * 2**log2_deviation, reach) < ALPHA


def test_wide_noise_is_gaussian_of_the_right_scale_and_of_no_other():
    samples = sample_discrete_gaussian(20, COUNT, SystemWords()).astype(np.float64)
    assert is_gaussian_noise(samples, 2.0**20)
    assert not is_gaussian_noise(samples, 1.3 * 2.0**20)
    assert not is_gaussian_noise(samples, 0.7 * 2.0**20)


def test_as_many_samples_as_asked_for_and_equal_seeds_give_equal_ones():
    for count in (0, 1, 7, 1000):
        assert sample_discrete_gaussian(5, count, seeded()).shape == (count,)
    assert np.array_equal(sample_discrete_gaussian(5, 99, seeded()), sample_discrete_gaussian(5, 99, seeded()))
    assert not np.array_equal(sample_discrete_gaussian(5, 99, seeded()), sample_discrete_gaussian(5, 99, seeded(2)))


@pytest.mark.parametrize("exponent", [Fraction(0), Fraction(1, 3), Fraction(1), Fraction(5, 2)])
@pytest.mark.parametrize("doubt", [2.0**-44, 2.0], ids=["in floating point", "decided exactly"])
def test_what_happens_with_probability_exp_minus_x_happens_that_often(exponent, doubt):
    count = 2000
    happened = happens_exp_minus(np.full(count, float(exponent)), lambda _: exponent, SystemWords(), doubt)
    assert binomtest(int(happened.sum()), count, math.exp(-exponent)).pvalue > ALPHA


def test_exact_and_floating_decisions_agree_on_the_same_words():
    exponents = np.linspace(0, 4, 500)
    exact = [Fraction(float(exponent)) for exponent in exponents]
    decided = [happens_exp_minus(exponents, exact.__getitem__, seeded(), doubt) for doubt in (2.0**-44, 2.0)]
    assert np.array_equal(*decided)


class FixedWords:
    """Gives words that were set beforehand."""

    def __init__(self, *words: int) -> None:
        self._words = list(words)

    def words(self, count: int) -> np.ndarray:
        given, self._words = self._words[:count], self._words[count:]
        return np.array(given, np.uint64)


def test_a_word_that_equals_the_boundary_is_decided_by_the_next_one():
    """The first 64 bits of 1/e don't tell; the next word does, on either side of 1/e's next 64 bits."""
    scaled = int(Fraction("0.36787944117144232159552377016146086744581113103176783450783680") * 2**128)
    high, low = scaled >> 64, scaled & (2**64 - 1)
    for next_word, expected in ((low - 10**6, True), (low + 10**6, False)):
        happened = happens_exp_minus(np.ones(1), lambda _: Fraction(1), FixedWords(high, next_word))
        assert bool(happened[0]) is expected
