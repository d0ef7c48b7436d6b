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
from models.detector.scoring import score_indexed
from models.domain.call import Call

CALIBRATED_AT = (20.0, 30.0, 60.0, 120.0)
"""Seconds of call that the calibration and the thresholds come from."""


def halve_calls(calls: Sequence[Call], seed: int) -> Split:
    """Return two halves of calls, alike by label, type and source, that share no near duplicate and no scenario.

    Raises:
        SplitError: A half would lack a label.
    """
    return split_by_origin(calls, 0.5, seed)


@dataclass(frozen=True)
class Rehearsal:
    """What was said of N calls at W windows, window after window.

    Attributes:
        network: The networks' logits, (W * N,).
        bag: The logits of the bags of n-grams, (W * N,).
        labels: (W * N,).
        weights: (W * N,).
    """

    network: NDArray[np.float64]
    bag: NDArray[np.float64]
    labels: NDArray[np.float64]
    weights: NDArray[np.float32]

    @classmethod
    def of(cls, rehearsed: Sequence[tuple[TrainedDetector, Sequence[Call]]]) -> Rehearsal:
        """Let each detector judge the calls that stand beside it, at `CALIBRATED_AT`."""
        network, bag = np.concatenate([_judge(*each) for each in rehearsed], axis=2).reshape(2, -1)
        judged = [call for _, calls in rehearsed for call in calls]
        labels = np.tile([float(call.label) for call in judged], len(CALIBRATED_AT))
        return cls(network, bag, labels, np.tile(weigh_sources(judged), len(CALIBRATED_AT)))

    @cached_property
    def bag_scale(self) -> float:
        """What the bag's logits are multiplied by, so that the bag counts as much as the network.

        That is the ratio of the slopes that calibrate each alone. Weights fitted to both at once came out no better; a
        bag that counts twice as much is as good, but leaves phones less to teach the network (decision 35).
        """
        network, bag = (calibrate(each, self.labels, self.weights)[0] for each in (self.network, self.bag))
        return bag.slope / network.slope

    @property
    def logits(self) -> NDArray[np.float64]:
        """Of network and bag together, (W * N,)."""
        return self.network + self.bag_scale * self.bag

    @property
    def loss(self) -> float:
        """Mean over windows, every source and label weighing the same, in nats."""
        return float(np.average(np.logaddexp(0, self.logits * (1 - 2 * self.labels)), weights=self.weights))


def _judge(trained: TrainedDetector, calls: Sequence[Call]) -> NDArray[np.float64]:
    """Return what network and bag say of N calls at each of `CALIBRATED_AT`, (2, W, N)."""
    network = trained.build_network()
    heard = [index_calls(calls, at, trained.embedding, trained.bag) for at in CALIBRATED_AT]
    return np.array([[score_indexed(network, each) - each.bag for each in heard], [each.bag for each in heard]])
