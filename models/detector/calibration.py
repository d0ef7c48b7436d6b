"""What a score means: Platt scaling, and the two alarm levels at fixed false alarms."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.linear_model import LogisticRegression

from models.detector.decision import calibrate_logits
from models.domain.release import Calibration, Thresholds

SUSPICIOUS_FALSE_ALARMS = 50.0
"""Normal calls of 1,000 that may be called 의심: a soft alarm, counted on calls much harder than life's."""

DANGEROUS_FALSE_ALARMS = 5.0
"""Normal calls of 1,000 that may be called 위험."""

_SUSPICIOUS_RANGE = (0.501, 0.95)
"""Above the even point, so that a call without words never warns; low enough that a warning stays possible."""

_DANGEROUS_RANGE = (0.9, 0.99)

_SMALLEST_SPREAD = 1e-6
"""Logits that differ by less, as a share of the largest or of 1, tell nothing apart: single precision rounds so."""

_SMALLEST_SLOPE = 0.05
"""A detector that ranks calls backwards is not turned round here; it has to fail its acceptance."""


def calibrate(logits: ArrayLike, labels: ArrayLike, weights: ArrayLike | None = None) -> tuple[Calibration, Thresholds]:
    """Return the Platt scaling and the alarm thresholds of a detector's logits on calls it was not trained on.

    Both classes weigh the same, so that 0.5 is the even point whatever their share. Sets without both classes keep the
    logits as they are.

    Args:
        logits: (N,); any finite numbers.
        labels: (N,): 1 vishing, 0 normal.
        weights: (N,), above 0: what each call counts within its class when the even point is found. All the same where
            absent. The alarm thresholds count calls.

    Returns:
        The calibration and the thresholds, finite and in order for every input.
    """
    values, truth = np.asarray(logits, dtype=np.float64), np.asarray(labels) > 0
    shares = np.ones(len(values)) if weights is None else np.asarray(weights, dtype=np.float64)
    calibration = _scale(values, truth, shares)
    return calibration, choose_thresholds(calibrate_logits(values[~truth], calibration))


def choose_thresholds(normal_scores: NDArray[np.float64]) -> Thresholds:
    """Return the scores that 50 (의심) and 5 (위험) of 1,000 normal calls reach, kept within sane ranges.

    A set too small for a quantile takes its largest score.
    """
    suspicious = _threshold_at(normal_scores, SUSPICIOUS_FALSE_ALARMS, _SUSPICIOUS_RANGE)
    dangerous = _threshold_at(normal_scores, DANGEROUS_FALSE_ALARMS, _DANGEROUS_RANGE)
    return Thresholds(suspicious, max(dangerous, suspicious))


def _scale(logits: NDArray[np.float64], truth: NDArray[np.bool_], weights: NDArray[np.float64]) -> Calibration:
    spread = float(np.std(logits)) if logits.size else 0.0
    if truth.all() or not truth.any() or spread < _SMALLEST_SPREAD * max(1.0, float(np.abs(logits).max())):
        return Calibration()
    even = weights / np.where(truth, weights[truth].sum(), weights[~truth].sum()) * (len(weights) / 2)
    fitted = LogisticRegression().fit(logits[:, np.newaxis] / spread, truth, sample_weight=even)
    slope = max(float(fitted.coef_[0, 0]) / spread, _SMALLEST_SLOPE)
    return Calibration(slope, float(fitted.intercept_[0]))


def _threshold_at(scores: NDArray[np.float64], per_thousand: float, allowed: tuple[float, float]) -> float:
    if not scores.size:
        return allowed[0]
    reached = np.quantile(scores, 1 - per_thousand / 1000, method="higher")
    return float(np.clip(np.nextafter(reached, 1.0), *allowed))
