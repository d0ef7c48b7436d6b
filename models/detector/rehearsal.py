"""What rehearsed detectors say of calls that they didn't learn: each half is judged by one that learned the other.

N calls, W windows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from models.corpus.splits import Split, split_by_origin
from models.detector.calibration import calibrate
from models.detector.detector import TrainedDetector
from models.detector.embedded_calls import index_calls
from models.detector.heard_calls import weigh_sources
from models.detector.scoring import score_windows
from models.domain.call import Call
from models.text.window import WINDOWS


def halve_calls(calls: Sequence[Call], seed: int) -> Split:
    """Return two halves of calls, alike by label, type and source, that share no near duplicate and no scenario.

    Raises:
        SplitError: A half would lack a label.
    """
    return split_by_origin(calls, 0.5, seed)


@dataclass(frozen=True)
class Rehearsal:
    """What was said of N calls at each of `WINDOWS` (W).

    Attributes:
        network: The networks' logits, (W, N).
        bag: The logits of the bags of n-grams, (W, N).
        words: How many words were heard, (W, N).
        labels: (N,).
        weights: (N,).
    """

    network: NDArray[np.float64]
    bag: NDArray[np.float64]
    words: NDArray[np.int64]
    labels: NDArray[np.float64]
    weights: NDArray[np.float32]

    @classmethod
    def of(cls, rehearsed: Sequence[tuple[TrainedDetector, Sequence[Call]]]) -> Rehearsal:
        """Let each detector judge the calls that stand beside it."""
        parts = [_judge(*each) for each in rehearsed]
        network, bag, words = (np.concatenate(part, axis=1) for part in zip(*parts, strict=True))
        judged = [call for _, calls in rehearsed for call in calls]
        return cls(network, bag, words, np.array([float(call.label) for call in judged]), weigh_sources(judged))

    @cached_property
    def bag_scale(self) -> float:
        """What the bag's logits are multiplied by, so that the bag counts as much as the network.

        That is the ratio of the slopes that calibrate each alone. Weights fitted to both at once came out no better; a
        bag that counts twice as much is as good, but leaves phones less to teach the network (decision 35).
        """
        each = (calibrate(said, self.words, self.labels, self.weights)[0] for said in (self.network, self.bag))
        network, bag = (found.early_slope + found.late_slope for found in each)
        return bag / network

    @property
    def logits(self) -> NDArray[np.float64]:
        """Of network and bag together, (W, N)."""
        return self.network + self.bag_scale * self.bag

    @property
    def loss(self) -> float:
        """Mean over windows, every source and label weighing the same, in nats."""
        losses = np.logaddexp(0, self.logits * (1 - 2 * self.labels))
        return float(np.average(losses.mean(axis=0), weights=self.weights))


def _judge(
    trained: TrainedDetector, calls: Sequence[Call]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Return what network and bag say of N calls at each of `WINDOWS`, and how many words they heard, all (W, N)."""
    network = trained.build_network()
    heard = [index_calls(calls, at, trained.embedding, trained.bag) for at in WINDOWS]
    bag, words = np.array([each.bag for each in heard]), np.array([each.words for each in heard])
    return score_windows(network, heard) - bag, bag, words
