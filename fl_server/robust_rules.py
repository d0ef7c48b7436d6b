"""Means that a few bad updates can't pull far: coordinate median, trimmed mean, multi-Krum. The rules are Flower's.

Sources: Yin et al. 2018 (median, trimmed mean) and Blanchard et al. 2017 (Krum). They need every single update, so
memory grows with the cohort and secure aggregation excludes them; and one person can move a median or a choice of
updates by more than the clipping norm over the cohort, so noise for persons excludes them, too.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from flwr.app import Array, ArrayRecord, Message, MetricRecord, RecordDict
from flwr.serverapp.strategy import FedAvg, FedMedian, FedTrimmedAvg, MultiKrum
from numpy.typing import NDArray

from fl_server.aggregation import LARGEST_UNCLIPPED_NORM, checked_vector
from models.domain.messages import METRICS, UPDATE, VECTOR
from models.domain.round import RobustRule
from models.errors import UsageError


@dataclass(frozen=True, slots=True)
class RobustPlan:
    """A rule, and the share of bad devices in a cohort that it is set up for.

    Attributes:
        rule: The rule.
        bad_share: Below one half for the median and the trimmed mean, which cuts off as much on either side; Krum needs
            n >= 2f + 3 updates, f of them bad (Blanchard et al. 2017, proposition 4.2).
    """

    rule: RobustRule
    bad_share: float

    def __post_init__(self) -> None:
        """Refuse a share that no rule can bear."""
        if not 0 <= self.bad_share < 0.5:
            raise UsageError(f"expected a share of bad devices of 0 or more and below 0.5, got {self.bad_share}")

    def bears(self, updates: int) -> bool:
        """Say whether so many updates are enough for the rule's promise."""
        return updates >= (2 * self._bad(updates) + 3 if self.rule is RobustRule.MULTI_KRUM else 1)

    def strategy(self, updates: int) -> FedAvg:
        """Return Flower's strategy that holds the rule."""
        match self.rule:
            case RobustRule.MEDIAN:
                return FedMedian()
            case RobustRule.TRIMMED_MEAN:
                return FedTrimmedAvg(beta=self.bad_share)
            case RobustRule.MULTI_KRUM:
                bad = self._bad(updates)
                return MultiKrum(num_malicious_nodes=bad, num_nodes_to_select=updates - bad)

    def _bad(self, updates: int) -> int:
        return math.ceil(self.bad_share * updates)


class RobustMean:
    """One round's updates, kept one by one until the rule is applied. Memory grows with the cohort."""

    def __init__(self, parameters: int, plan: RobustPlan) -> None:
        """Start without updates; see `UpdateSum` for ``parameters``."""
        self._parameters, self._plan = parameters, plan
        self._kept: list[NDArray[np.float32]] = []

    @property
    def folded(self) -> int:
        """Updates kept."""
        return len(self._kept)

    def fold(self, update: NDArray[np.float32]) -> None:
        """Keep one device's update, shape (P,).

        Raises:
            UpdateRefusedError: As in `UpdateSum.fold`.
        """
        checked_vector(update, self._parameters, LARGEST_UNCLIPPED_NORM)
        self._kept.append(update)

    def mean(self) -> NDArray[np.float64]:
        """Return what the rule makes of the updates, shape (P,); there must be as many as it bears."""
        messages = [_as_reply(update) for update in self._kept]
        arrays, _ = self._plan.strategy(len(messages)).aggregate_train(0, messages)
        assert arrays is not None
        return arrays[VECTOR].numpy().astype(np.float64)


def _as_reply(update: NDArray[np.float32]) -> Message:
    """Return the message that Flower's rules read; the number of examples is the same for all."""
    content = RecordDict({UPDATE: ArrayRecord({VECTOR: Array(update)}), METRICS: MetricRecord({"num-examples": 1})})
    return Message(content, dst_node_id=1, message_type="train")
