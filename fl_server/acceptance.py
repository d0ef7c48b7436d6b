"""How good a global model is on the server's own acceptance set; users' calls have no part in it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AcceptanceScore:
    """A global model on the acceptance set.

    Attributes:
        f1: Of the alarm, at the model's own 의심 threshold.
        false_alarms_per_1000: Normal calls that raise the alarm there.
        loss: Mean cross-entropy in nats, after calibration.
        loss_error: Standard error of that mean.
    """

    f1: float
    false_alarms_per_1000: float
    loss: float
    loss_error: float


def choose_round(losses: Sequence[float], errors: Sequence[float]) -> int:
    """Return the index of the model to release: the latest within one standard error of the lowest loss.

    Models within one standard error can't be told apart on the acceptance set; among them the latest has learned most
    from the devices (the one-standard-error rule, Breiman et al. 1984).

    Args:
        losses: Mean cross-entropy of each model on the acceptance set; one that is not finite is never chosen.
        errors: Standard error of each.
    """
    finite = [loss if math.isfinite(loss) else math.inf for loss in losses]
    best = min(range(len(finite)), key=finite.__getitem__)
    limit = finite[best] + errors[best]
    return max(index for index, loss in enumerate(finite) if loss <= limit)
