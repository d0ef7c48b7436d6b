"""A round of federated training, as the operator reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from models.errors import BadInputError


class ReplyFate(StrEnum):
    """What became of a device that was asked to train."""

    FOLDED = "folded"
    NO_REPLY = "no_reply"
    REFUSED = "refused"
    FAILED = "failed"
    WRONG_ROUND = "wrong_round"
    WRONG_KEYS = "wrong_keys"
    WRONG_TYPE = "wrong_type"
    WRONG_SHAPE = "wrong_shape"
    NOT_FINITE = "not_finite"
    TOO_LARGE = "too_large"


class RobustRule(StrEnum):
    """What can take the place of the plain mean, so that a few bad updates don't pull it far."""

    MEDIAN = "median"
    TRIMMED_MEAN = "trimmed-mean"
    MULTI_KRUM = "multi-krum"


@dataclass(frozen=True, slots=True)
class RoundReport:
    """What the operator knows of a round: no value of a device, but exact counts, which carry no noise.

    The guarantee against recipients doesn't cover the counts: they are the operator's, and no part of a release.

    Attributes:
        number: Counts from 1.
        asked: Devices that were asked to train.
        fates: How many devices met each fate; they add up to ``asked``.
        epsilon: User-level epsilon spent so far against recipients, ``None`` where nothing is spent on it.
        acceptance_f1: F1 on the server's own acceptance set after this round.
        acceptance_loss: Mean cross-entropy there, in nats.
        acceptance_loss_error: Standard error of that mean.
        seconds: How long the round took.
        clip_norm: L2 norm that updates were clipped to, ``None`` where none were.
        simulated: ``epsilon`` stands for a larger cohort and population than ran.
        sent_again: Second replies that the grid handed over: at least so many were sent. No grid is asked for a reply
            any more once the first is there, so most are never seen. None is taken in; the first keeps its fate.
        aborted: Why a round under secure aggregation ended without a sum; ``None`` where it didn't.
        clipped_share: Share of the summed updates that were clipped, estimated under the update's own noise; ``None``
            without secure aggregation. It may lie below 0 or above 1.
        wrong_shares: Devices that gave wrong shares of others' secrets under secure aggregation. What they gave wasn't
            used; their own updates keep their fate.
    """

    number: int
    asked: int
    fates: dict[ReplyFate, int]
    epsilon: float | None
    acceptance_f1: float
    acceptance_loss: float
    acceptance_loss_error: float
    seconds: float
    clip_norm: float | None = None
    simulated: bool = False
    sent_again: int = 0
    aborted: str | None = None
    clipped_share: float | None = None
    wrong_shares: int = 0


def parse_round(record: Mapping[str, Any]) -> RoundReport:
    """Return the round report of a record.

    Raises:
        BadInputError: It is none.
    """
    fields = dict(record)
    try:
        fates = {ReplyFate(fate): int(count) for fate, count in fields.pop("fates").items()}
        return RoundReport(**fields, fates=fates)
    except (AttributeError, KeyError, TypeError, ValueError):
        raise BadInputError("expected a round report") from None
