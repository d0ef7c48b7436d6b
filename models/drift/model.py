"""The model's own drift from one release to the next: how far its weights went, and what that did to its scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.errors import BadInputError


@dataclass(frozen=True, slots=True)
class WeightChange:
    """How far weights went.

    Attributes:
        distance: L2 norm of the difference.
        relative: That norm over the norm of the earlier weights.
        cosine: Of the angle between the two, -1 to 1; 1 where only their length changed.
    """

    distance: float
    relative: float
    cosine: float


@dataclass(frozen=True, slots=True)
class ScoreStability:
    """What became of the scores of the same calls.

    Attributes:
        mean_difference: Mean absolute difference of a call's score.
        largest_difference: Of one call.
        correlation: Pearson's, -1 to 1; 1 where either model scores every call alike.
        verdicts_changed: Share of the calls that get another verdict.
    """

    mean_difference: float
    largest_difference: float
    correlation: float
    verdicts_changed: float


def compare_weights(
    before: Mapping[str, NDArray[np.float32]], after: Mapping[str, NDArray[np.float32]]
) -> WeightChange:
    """Return how far all trained weights went together.

    Raises:
        BadInputError: The two have other arrays, or the earlier weights are all zero.
    """
    if {name: array.shape for name, array in before.items()} != {name: array.shape for name, array in after.items()}:
        raise BadInputError("the two releases have other weights")
    old, new = (np.concatenate([np.ravel(arrays[name]) for name in before]) for arrays in (before, after))
    old, new = old.astype(np.float64), new.astype(np.float64)
    lengths = float(np.linalg.norm(old)), float(np.linalg.norm(new))
    if min(lengths) == 0:
        raise BadInputError("weights that are all zero have no direction")
    distance = float(np.linalg.norm(new - old))
    return WeightChange(distance, distance / lengths[0], float(old @ new) / (lengths[0] * lengths[1]))


def compare_scores(
    before: NDArray[np.float64],
    after: NDArray[np.float64],
    verdicts_before: NDArray[np.intp],
    verdicts_after: NDArray[np.intp],
) -> ScoreStability:
    """Return what became of N calls' scores (N,) and verdicts (N,), each model's by its own thresholds.

    Raises:
        BadInputError: There is no call, or the two have another number of them.
    """
    if not before.size or not before.shape == after.shape == verdicts_before.shape == verdicts_after.shape:
        raise BadInputError("scores are compared on the same calls, one at least")
    differences = np.abs(after - before)
    spread = float(np.std(before) * np.std(after))
    together = float(np.mean((before - before.mean()) * (after - after.mean())))
    return ScoreStability(
        mean_difference=float(differences.mean()),
        largest_difference=float(differences.max()),
        correlation=together / spread if spread > 1e-12 else 1.0,
        verdicts_changed=float(np.mean(verdicts_before != verdicts_after)),
    )
