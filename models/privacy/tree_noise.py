"""Noise that a binary tree over the rounds correlates, so that every running sum carries little of it.

Sources: Dwork et al. 2010 and Chan et al. 2011 (tree aggregation); Honaker 2015 (estimates from below); Kairouz et al.
2021, "Practical and private (deep) learning without sampling or shuffling" (DP-FTRL). The guarantee also holds where a
round's updates depend on earlier sums (Denisov et al. 2022, theorem 2.1).

A node of the tree covers 2^h rounds and adds Gaussian noise of its own to their sum. The sum up to a round is put
together from the whole nodes that cover it. A node that has two children can be estimated from its own noised sum and
from its children's: weighted by their precision, the estimate carries less noise than either, and uses nothing that
was not noised.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.privacy.randomness import GaussianSource


class TreeNoise:
    """The noise on the running sums of one tree. Memory grows with the logarithm of its rounds."""

    def __init__(self, size: int, deviation: float, source: GaussianSource) -> None:
        """Start a tree.

        Args:
            size: Values of a sum, P.
            deviation: Standard deviation of each node's own noise.
            source: Where noise comes from; drawn in one fixed order, so that a seeded tree can be grown again.
        """
        self._size, self._deviation, self._source = size, deviation, source
        self._nodes: list[tuple[int, NDArray[np.float64]]] = []

    def next_prefix(self) -> NDArray[np.float64]:
        """Return the noise on the sum of all rounds up to the next one, shape (P,)."""
        height, estimate = 0, self._own_noise()
        while self._nodes and self._nodes[-1][0] == height:
            _, left = self._nodes.pop()
            height += 1
            weight = node_variance(height)
            estimate = weight * self._own_noise() + (1 - weight) * (left + estimate)
        self._nodes.append((height, estimate))
        prefix: NDArray[np.float64] = np.sum([node for _, node in self._nodes], axis=0)
        return prefix

    def _own_noise(self) -> NDArray[np.float64]:
        return self._deviation * self._source.standard_normal(self._size)


def node_variance(height: int) -> float:
    """Return the variance of a node's best estimate over that of its own noise: 1 / (2 (1 - 2^-(h+1))).

    It is also the weight of its own noise in that estimate: v_h = 1 / (1 + 1 / (2 v_(h-1))).
    """
    return float(1 / (2 * (1 - 2.0 ** -(height + 1))))


def prefix_variance(rounds: int) -> float:
    """Return the variance of the noise on the sum of so many rounds, over that of a node's own noise."""
    return sum(node_variance(height) for height in range(rounds.bit_length()) if rounds >> height & 1)
