"""The noise that the server adds to a round's sum: fresh, or what a tree's noise grew by (DP-FTRL).

With DP-FTRL each noised sum is the difference of two noised running sums (the residual form of Kairouz et al. 2021):
whatever the server makes of the differences, momentum too, is made from running sums that the tree protects. A running
sum and its noise are whole numbers of the grid; rounding a sum after its noise is post-processing.

The noise of a tree with people's devices is kept in memory alone: on a disk it could be taken off again. After a kill
the tree starts anew, which the ledger charges. A seeded tree is grown again from its seed.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fl_server.aggregation import UpdateSum, noise_spacings
from fl_server.rounds import FederationPlan
from models.privacy.randomness import GaussianSource, SeededGaussian, SystemGaussian, seeded_generator
from models.privacy.tree_noise import TreeNoise

SERVER = 0
"""The server's place among the devices when generators are derived from a seed."""


class ServerNoise:
    """The noise of a run, round after round."""

    def __init__(self, plan: FederationPlan, size: int) -> None:
        """Prepare; nothing is drawn yet.

        Args:
            plan: Says which mechanism.
            size: Values of a sum, P.
        """
        self._plan, self._size = plan, size
        self._tree: _GrowingTree | None = None

    def prepare(self, round_number: int, tree_rounds: int) -> bool:
        """Get a round's tree ready and say whether it starts with this round; without trees do nothing.

        Args:
            round_number: Counts from 1.
            tree_rounds: Rounds that the tree of the round before had grown by.
        """
        if self._plan.trees is None:
            return False
        first = self._first_of_tree(round_number)
        if self._tree is None and self._plan.task.seed is not None and first < round_number:
            self._tree = self._new_tree(first)
            for _ in range(tree_rounds):
                self._tree.next_difference()
        starts = first == round_number or self._tree is None
        if starts:
            self._tree = self._new_tree(round_number)
        return starts

    def mean_of(self, total: UpdateSum, round_number: int) -> NDArray[np.float64]:
        """Return a round's noised sum, divided by the cohort that the noise is calibrated to, shape (P,)."""
        privacy, simulated = self._plan.person_privacy, self._plan.simulated_cohort
        assert privacy is not None
        if self._tree is None:
            return total.private_mean(privacy, self.source(round_number, "server noise"), simulated)
        divisor = privacy.cohort if simulated is None else simulated
        return total.noised_mean(self._tree.next_difference(), divisor)

    def skip(self) -> bool:
        """Leave a round's place in the tree empty, and say whether there is a tree.

        Persons' rounds are kept apart by number. If a round without a sum took no place, two of a person's rounds
        could stand side by side in the tree, and one node would hold more of them than the accountant allows for.
        """
        if self._tree is not None:
            self._tree.next_difference()
        return self._tree is not None

    def source(self, round_number: int, purpose: str) -> GaussianSource:
        """Return a source of noise for one purpose in one round."""
        seed = self._plan.task.seed
        return (
            SystemGaussian() if seed is None else SeededGaussian(seeded_generator(seed, round_number, SERVER, purpose))
        )

    def _first_of_tree(self, round_number: int) -> int:
        assert self._plan.trees is not None
        return round_number - (round_number - 1) % self._plan.trees.tree_rounds

    def _new_tree(self, first_round: int) -> _GrowingTree:
        assert self._plan.trees is not None
        deviation = noise_spacings(self._plan.trees, self._plan.simulated_cohort)
        return _GrowingTree(first_round, TreeNoise(self._size, deviation, self.source(first_round, "tree noise")))


class _GrowingTree:
    """A tree, and the noise on its last running sum, in grid spacings."""

    def __init__(self, first_round: int, noise: TreeNoise) -> None:
        self.first_round, self._noise = first_round, noise
        self._last: NDArray[np.int64] | int = 0

    def next_difference(self) -> NDArray[np.int64]:
        """Return the noise on the next round's sum, shape (P,)."""
        prefix = np.rint(self._noise.next_prefix()).astype(np.int64)
        difference: NDArray[np.int64] = prefix - self._last
        self._last = prefix
        return difference
