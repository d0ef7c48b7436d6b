"""How sure a figure is: intervals by resampling groups of calls, and McNemar's test of two models.

N calls, S seeds, B resamples.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support
from statsmodels.stats.contingency_tables import mcnemar

RESAMPLES = 1000
_COVERED = (2.5, 97.5)

Interval = tuple[float, float]


@dataclass(frozen=True, slots=True)
class PairedTest:
    """McNemar's test, two-sided mid-p.

    Attributes:
        only_first: Calls that the first alone judged right.
        only_second: Calls that the second alone judged right.
        mid_p: How likely so uneven a count, or a more uneven one, were if both were as good.
    """

    only_first: int
    only_second: int
    mid_p: float


def draw_groups(groups: Sequence[Hashable], seed: int, resamples: int = RESAMPLES) -> list[NDArray[np.int64]]:
    """Return B draws of calls, as places: as many whole groups as there are, each drawn with replacement."""
    places: dict[Hashable, list[int]] = {}
    for place, group in enumerate(groups):
        places.setdefault(group, []).append(place)
    members = [np.array(own) for own in places.values()]
    rng = np.random.default_rng(seed)
    drawn = rng.integers(len(members), size=(resamples, len(members)))
    return [np.concatenate([members[group] for group in row]) for row in drawn]


def intervals(
    truth: NDArray[np.bool_], warnings: NDArray[np.bool_], draws: Sequence[NDArray[np.int64]]
) -> dict[str, Interval | None]:
    """Return 95 % percentile intervals of precision, recall and F1, each the mean over seeds.

    Args:
        truth: (N,), vishing or not.
        warnings: (S, N).
        draws: Of `draw_groups`.

    Returns:
        None where a figure is undefined in most draws.
    """
    with np.errstate(invalid="ignore"):
        figures = np.mean([_resampled(truth, warned, draws) for warned in warnings], axis=0)  # (3, B)
    return {name: _interval(row) for name, row in zip(("precision", "recall", "f1"), figures, strict=True)}


def _resampled(
    truth: NDArray[np.bool_], warned: NDArray[np.bool_], draws: Sequence[NDArray[np.int64]]
) -> NDArray[np.float64]:
    """Return precision, recall and F1 of each draw, (3, B).

    Draws become columns of one table, as if they were labels. Shorter ones are filled up with normal calls without a
    warning, which none of the three counts.
    """
    longest = max(len(draw) for draw in draws)
    is_vishing, is_warned = (np.zeros((longest, len(draws)), dtype=bool) for _ in range(2))
    for column, draw in enumerate(draws):
        is_vishing[: len(draw), column], is_warned[: len(draw), column] = truth[draw], warned[draw]
    figures = precision_recall_fscore_support(is_vishing, is_warned, average=None, zero_division=np.nan)
    return np.array(figures[:3], dtype=np.float64)


def _interval(values: NDArray[np.float64]) -> Interval | None:
    if np.isnan(values).mean() > 0.5:
        return None
    low, high = np.nanpercentile(values, _COVERED)
    return float(low), float(high)


def compare_paired(first_right: NDArray[np.bool_], second_right: NDArray[np.bool_]) -> PairedTest:
    """Return McNemar's test with the mid-p value of two models on the same calls (N,).

    The mid-p counts the observed outcome half: Fagerland, Lydersen and Laake, "The McNemar test for binary
    matched-pairs data", 2013.
    """
    both = confusion_matrix(first_right, second_right, labels=[True, False])
    first, second = int(both[0, 1]), int(both[1, 0])
    exact = float(mcnemar(both, exact=True).pvalue)
    observed = float(binom.pmf(min(first, second), first + second, 0.5))
    return PairedTest(first, second, exact - observed if first != second else 1 - observed / 2)
