"""How good a global model is on the server's own acceptance set; users' calls have no part in it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AcceptanceScore:
    """A global model on the acceptance set.

    Attributes:
        f1: At the calibrated even point.
        loss: Mean cross-entropy in nats, after calibration.
        loss_error: Standard error of that mean.
    """

    f1: float
    loss: float
    loss_error: float


def choose_round(scores: Sequence[AcceptanceScore]) -> int:
    """Return the index of the round to release: the latest within one standard error of the lowest loss.

    Rounds within one standard error can't be told apart on the acceptance set; among them the latest has learned most
    from the devices (the one-standard-error rule, Breiman et al. 1984).
    """
    finite = [score.loss if math.isfinite(score.loss) else math.inf for score in scores]
    best = min(range(len(scores)), key=finite.__getitem__)
    limit = finite[best] + scores[best].loss_error
    return max(index for index, loss in enumerate(finite) if loss <= limit)
