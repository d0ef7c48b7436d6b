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

from models.detector.decision import decide
from models.domain.call import Call, Label
from models.domain.release import Thresholds, Verdict

PREVALENCES = (0.001, 0.01)
"""Shares of vishing among all calls that precision is given at; measured sets hold far more than people get."""

_FALSE_ALARM_RATE = 0.01


@dataclass(frozen=True, slots=True)
class WindowScores:
    """What a detector says of N calls after so many seconds.

    Attributes:
        scores: Calibrated, (N,).
        words: How many were heard, (N,).
    """

    scores: NDArray[np.float64]
    words: NDArray[np.int64]

    def verdicts(self, thresholds: Thresholds) -> list[Verdict]:
        """Return what a device says of each call (N)."""
        return [decide(score, words, thresholds) for score, words in zip(self.scores, self.words, strict=True)]


Scorer = Callable[[Sequence[Call], float], WindowScores]
"""Gives the scores of the first seconds of calls."""


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
    windows: Mapping[float, WindowScores], calls: Sequence[Call], thresholds: Thresholds
) -> list[dict[str, Any]]:
    """Return one JSON object a window, in the order of time: ``seconds``, ``all`` and ``by_source``.

    Beside `Metrics` the two have ``recall_by_then`` and ``false_alarms_per_1000_by_then``: of what warned at this
    window or an earlier one that was given, as a device warns while a call runs.

    Args:
        windows: What the detector says, by seconds of call.
        calls: N labelled calls.
        thresholds: Of the detector.
    """
    sources = sorted({call.source for call in calls})
    parts: dict[str | None, NDArray[np.bool_]] = {None: np.ones(len(calls), dtype=bool)}
    parts |= {source: np.array([call.source == source for call in calls]) for source in sources}
    rows, warned_by_then = [], ~parts[None]
    for seconds, window in sorted(windows.items()):
        warned = np.array([verdict is not Verdict.NORMAL for verdict in window.verdicts(thresholds)], dtype=bool)
        warned_by_then = warned_by_then | warned
        figures = {
            part: asdict(measure(window.scores, warned, calls, chosen)) | _by_then(warned_by_then, calls, chosen)
            for part, chosen in parts.items()
        }
        rows.append({"seconds": seconds, "all": figures.pop(None), "by_source": figures})
    return rows


def measure(
    scores: NDArray[np.float64], warnings: NDArray[np.bool_], calls: Sequence[Call], rows: NDArray[np.bool_]
) -> Metrics:
    """Return the figures of the chosen rows of calls (N,), with calibrated scores (N,) and which of them warn (N,)."""
    chosen = [call for call, row in zip(calls, rows, strict=True) if row]
    truth, given, warned = _truth(chosen), scores[rows], warnings[rows]
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
        false_alarms_per_1000=_per_1000(false_alarms),
        precision_at_prevalence={str(share): _precision_at(share, recall, false_alarms) for share in PREVALENCES},
    )


def _by_then(warnings: NDArray[np.bool_], calls: Sequence[Call], rows: NDArray[np.bool_]) -> dict[str, float | None]:
    truth = _truth(calls)
    false_alarms = _share(warnings[rows & ~truth])
    return {
        "recall_by_then": _share(warnings[rows & truth]),
        "false_alarms_per_1000_by_then": _per_1000(false_alarms),
    }


def _truth(calls: Sequence[Call]) -> NDArray[np.bool_]:
    return np.array([call.label is Label.VISHING for call in calls], dtype=bool)


def _per_1000(share: float | None) -> float | None:
    return None if share is None else 1000 * share


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
