"""How much one person can move the nodes of trees over the rounds: the sensitivity of DP-FTRL.

Source: Kairouz et al. 2021, "Practical and private (deep) learning without sampling or shuffling", sections 4 and D.2
(several participations, restarts). All nodes of all trees together are one Gaussian mechanism: its noise multiplier is
a node's, divided by the L2 sensitivity that is bounded here, in clipping norms.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np


@lru_cache(maxsize=4096)
def tree_sensitivity_squared(rounds: int, participations: int, separation: int) -> int:
    """Return an upper bound on the squared L2 distance by which one person moves a tree's whole nodes.

    A node that holds c of a person's updates moves by c norms at most. 2^h rounds hold ceil(2^h / separation) of them
    at most, and a height holds all participations at most: the squares add up to most where few nodes hold as many as
    they can. The heights are bounded one by one, so the bound may be a little above what any one person reaches.

    Args:
        rounds: Rounds that the tree covers.
        participations: The most rounds of one person in it.
        separation: Rounds from one participation to the next, at least.
    """
    taken = min(participations, -(-rounds // separation))
    return sum(
        _height_squared(rounds >> height, min(taken, -(-(1 << height) // separation)), taken)
        for height in range(rounds.bit_length())
    )


def _height_squared(nodes: int, in_a_node: int, taken: int) -> int:
    """Return the largest sum of squares of ``taken`` updates on so many nodes of so many places."""
    full, rest = divmod(min(taken, nodes * in_a_node), in_a_node)
    return full * in_a_node**2 + rest**2


def trees_sensitivity_squared(trees: Sequence[int], participations: int, separation: int) -> int:
    """Return the bound for several trees, one after another: the worst spread of a person's rounds over them.

    Args:
        trees: Rounds that each tree covers.
        participations: The most rounds of one person in all of them.
        separation: Rounds from one participation to the next, at least.
    """
    most = [min(participations, -(-rounds // separation)) for rounds in trees]
    worst = np.zeros(min(participations, sum(most)) + 1, np.int64)  # by participations spent so far
    for rounds, taken in zip(trees, most, strict=True):
        before, worst = worst, worst.copy()
        for here in range(1, taken + 1):
            moved = before[: len(before) - here] + tree_sensitivity_squared(rounds, here, separation)
            np.maximum(worst[here:], moved, out=worst[here:])
    return int(worst[-1])


def planned_trees(rounds: int, tree_rounds: int) -> tuple[int, ...]:
    """Return the rounds of each tree where a tree starts anew after ``tree_rounds``."""
    whole, rest = divmod(rounds, tree_rounds)
    return (tree_rounds,) * whole + ((rest,) if rest else ())
