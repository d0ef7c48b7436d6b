"""Noise that a tree correlates: its scale, and what a running sum carries."""

from __future__ import annotations

import numpy as np
import pytest

from models.privacy.randomness import SeededGaussian, SystemGaussian
from models.privacy.tree_noise import TreeNoise, node_variance, prefix_variance
from tests.noise_scale import is_gaussian_noise

SIZE, ROUNDS = 20_000, 13


class Ones:
    """A source whose noise can be followed by hand: the first node adds 1, the second 2, and so on."""

    def __init__(self) -> None:
        self.drawn = 0

    def standard_normal(self, count: int) -> np.ndarray:
        """Return the number of the draw."""
        self.drawn += 1
        return np.full(count, float(self.drawn))


def prefixes(rounds: int, deviation: float = 1.0, source=None) -> list[np.ndarray]:
    tree = TreeNoise(SIZE, deviation, source or SeededGaussian(np.random.default_rng(5)))
    return [tree.next_prefix() for _ in range(rounds)]


def test_the_first_four_running_sums_are_those_worked_out_by_hand():
    """Leaves 1, 2, 4, 5; node over two: own noise 3 and 6, weight 2/3; node over four: own noise 7, weight 4/7.

    Sums: 1; 2/3*3 + 1/3*(1+2) = 3; 3 + 4 = 7; node(3,4) = 2/3*6 + 1/3*9 = 7, 4/7*7 + 3/7*(3+7) = 58/7.
    """
    tree = TreeNoise(1, 1.0, Ones())
    assert [float(tree.next_prefix()[0]) for _ in range(4)] == pytest.approx([1, 3, 7, 58 / 7])


@pytest.mark.parametrize("source", [None, SystemGaussian()], ids=["seeded", "system"])
def test_every_running_sum_carries_the_noise_that_the_paper_promises(source):
    for rounds, noise in enumerate(prefixes(ROUNDS, 2.0, source), start=1):
        assert is_gaussian_noise(noise, 2.0 * prefix_variance(rounds) ** 0.5)


@pytest.mark.parametrize("wrong", [0.7, 1.3])
def test_noise_wrong_by_30_percent_is_caught(wrong):
    for rounds, noise in enumerate(prefixes(ROUNDS, 2.0 * wrong), start=1):
        assert not is_gaussian_noise(noise, 2.0 * prefix_variance(rounds) ** 0.5)


def test_estimates_from_below_carry_less_noise_than_a_nodes_own():
    assert [node_variance(height) for height in range(4)] == pytest.approx([1, 2 / 3, 4 / 7, 8 / 15])
    assert prefix_variance(13) == pytest.approx(node_variance(0) + node_variance(2) + node_variance(3))


def test_a_running_sum_of_many_rounds_carries_far_less_than_their_fresh_noises_would():
    assert prefix_variance(1023) < 6 < 1023


def test_memory_grows_with_the_logarithm_of_the_rounds():
    tree = TreeNoise(2, 1.0, SeededGaussian(np.random.default_rng(0)))
    for _ in range(1_023):
        tree.next_prefix()
    assert len(tree._nodes) == 10


def test_a_seeded_tree_grows_the_same_again():
    assert all(np.array_equal(*pair) for pair in zip(prefixes(ROUNDS), prefixes(ROUNDS), strict=True))
