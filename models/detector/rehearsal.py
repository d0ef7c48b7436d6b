"""What rehearsed detectors say of calls that they didn't learn: each half is judged by one that learned the other.

N calls, W windows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.corpus.splits import Split, split_by_origin
from models.detector.detector import TrainedDetector
from models.detector.heard_calls import weigh_sources
from models.detector.scoring import score_calls
from models.domain.call import Call

CALIBRATED_AT = (20.0, 30.0, 60.0, 120.0)
"""Seconds of call that the calibration and the thresholds come from."""


def halve_calls(calls: Sequence[Call], seed: int) -> Split:
    """Return two halves of calls, alike by label, type and source, that share no near duplicate and no scenario.

    Raises:
        SplitError: A half would lack a label.
    """
    return split_by_origin(calls, 0.5, seed)


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """Logits, labels and weights, each (W * N,): window after window."""

    logits: NDArray[np.float64]
    labels: NDArray[np.float64]
    weights: NDArray[np.float32]

    @classmethod
    def of(cls, rehearsed: Sequence[tuple[TrainedDetector, Sequence[Call]]]) -> Rehearsal:
        """Let each detector judge the calls that stand beside it, at `CALIBRATED_AT`."""
        judged = [call for _, calls in rehearsed for call in calls]
        logits = [[score_calls(trained, calls, at) for at in CALIBRATED_AT] for trained, calls in rehearsed]
        labels = np.tile([float(call.label) for call in judged], len(CALIBRATED_AT))
        return cls(np.concatenate(logits, axis=1).ravel(), labels, np.tile(weigh_sources(judged), len(CALIBRATED_AT)))

    @property
    def loss(self) -> float:
        """Mean over windows, every source and label weighing the same, in nats."""
        return float(np.average(np.logaddexp(0, self.logits * (1 - 2 * self.labels)), weights=self.weights))
