"""How well a detector does: by window of the call, in all and by source.

A figure that is undefined (no call of a label) is None, never NaN.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import metrics

from models.domain.call import Call, Label
from models.domain.release import Thresholds

PREVALENCES = (0.001, 0.01)
"""Shares of vishing among all calls that precision is given at; measured sets hold far more than people get."""

_FALSE_ALARM_RATE = 0.01

Scorer = Callable[[Sequence[Call], float], NDArray[np.float64]]
"""Gives the calibrated scores of the first seconds of calls."""


@dataclass(frozen=True, slots=True)
class Metrics:
    """Figures of one set of calls; a call counts as detected from the 의심 threshold on.

    Attributes:
        n: Calls.
        positives: Vishing calls among them.
        precision: Of the warnings.
        recall: Of the vishing calls.
        f1: Of precision and recall.
        roc_auc: Chance that a vishing call scores above a normal one.
        recall_by_type: Recall of each type of scam that is there.
        recall_at_1_percent_false_alarms: Recall where the threshold lets 1 % of these normal calls warn.
        false_alarms_per_1000: Warnings per 1,000 normal calls.
        precision_at_prevalence: Precision if vishing were 0.1 % and 1 % of all calls.
    """

    n: int
    positives: int
    precision: float | None
    recall: float | None
    f1: float | None
    roc_auc: float | None
    recall_by_type: dict[str, float]
    recall_at_1_percent_false_alarms: float | None
    false_alarms_per_1000: float | None
    precision_at_prevalence: dict[str, float | None]


def evaluate(
    scores: Mapping[float, NDArray[np.float64]], calls: Sequence[Call], thresholds: Thresholds
) -> list[dict[str, Any]]:
    """Return one JSON object a window: ``seconds``, ``all`` and ``by_source``.

    Args:
        scores: Calibrated scores (N,) by seconds of call.
        calls: N labelled calls.
        thresholds: Of the detector.
    """
    sources = sorted({call.source for call in calls})
    rows = {source: np.array([call.source == source for call in calls]) for source in sources}
    everything = np.ones(len(calls), dtype=bool)
    return [
        {
            "seconds": seconds,
            "all": asdict(measure(given, calls, thresholds, everything)),
            "by_source": {source: asdict(measure(given, calls, thresholds, rows[source])) for source in sources},
        }
        for seconds, given in scores.items()
    ]


def measure(
    scores: NDArray[np.float64], calls: Sequence[Call], thresholds: Thresholds, rows: NDArray[np.bool_]
) -> Metrics:
    """Return the figures of the chosen rows of calls (N,) with calibrated scores (N,)."""
    return measure_warnings(scores, scores >= thresholds.suspicious, calls, rows)


def measure_warnings(
    scores: NDArray[np.float64], warnings: NDArray[np.bool_], calls: Sequence[Call], rows: NDArray[np.bool_]
) -> Metrics:
    """Return the figures as `measure` does, for calls (N,) that several detectors judged: each by its own threshold."""
    chosen = [call for call, row in zip(calls, rows, strict=True) if row]
    truth = np.array([call.label is Label.VISHING for call in chosen], dtype=bool)
    given, warned = scores[rows], warnings[rows]
    recall, false_alarms = _share(warned[truth]), _share(warned[~truth])
    return Metrics(
        n=len(chosen),
        positives=int(truth.sum()),
        precision=_defined(metrics.precision_score(truth, warned, zero_division=np.nan)),
        recall=recall,
        f1=_defined(metrics.f1_score(truth, warned, zero_division=np.nan)) if truth.any() else None,
        roc_auc=_defined(metrics.roc_auc_score(truth, given)) if _has_both(truth) else None,
        recall_by_type=_recall_by_type(chosen, warned, truth),
        recall_at_1_percent_false_alarms=_recall_at(truth, given) if _has_both(truth) else None,
        false_alarms_per_1000=None if false_alarms is None else 1000 * false_alarms,
        precision_at_prevalence={str(share): _precision_at(share, recall, false_alarms) for share in PREVALENCES},
    )


def _recall_by_type(calls: Sequence[Call], warned: NDArray[np.bool_], truth: NDArray[np.bool_]) -> dict[str, float]:
    types = np.array([call.scam_type.value for call in calls])
    return {str(each): float(warned[truth & (types == each)].mean()) for each in np.unique(types[truth])}


def _recall_at(truth: NDArray[np.bool_], scores: NDArray[np.float64]) -> float:
    false_alarms, recalls, _ = metrics.roc_curve(truth, scores, drop_intermediate=False)
    return float(recalls[false_alarms <= _FALSE_ALARM_RATE].max())


def _precision_at(prevalence: float, recall: float | None, false_alarms: float | None) -> float | None:
    """Bayes' rule; None where nothing would warn, or a rate is unknown."""
    if recall is None or false_alarms is None:
        return None
    warnings = prevalence * recall + (1 - prevalence) * false_alarms
    return prevalence * recall / warnings if warnings > 0 else None


def _share(warned: NDArray[np.bool_]) -> float | None:
    return float(warned.mean()) if warned.size else None


def _has_both(truth: NDArray[np.bool_]) -> bool:
    return bool(truth.any() and not truth.all())


def _defined(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
