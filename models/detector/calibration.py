"""What a score means: Platt scaling, and the two alarm levels at fixed false alarms.

N calls, each heard again and again while it runs: W moments.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.linear_model import LogisticRegression

from models.detector.decision import FEWEST_WORDS, calibrate_logits, lateness
from models.domain.release import Calibration, Thresholds

SUSPICIOUS_FALSE_ALARMS = 150.0
"""Normal calls of 1,000 that may ever be called 의심: a soft alarm, counted on calls much harder than life's."""

DANGEROUS_FALSE_ALARMS = 15.0
"""Normal calls of 1,000 that may ever be called 위험."""

_SUSPICIOUS_RANGE = (0.501, 0.95)
"""Above the even point, so that a call without words never warns; low enough that a warning stays possible."""

_DANGEROUS_RANGE = (0.9, 0.99)

_SMALLEST_SPREAD = 1e-6
"""Logits that differ by less, as a share of the largest or of 1, tell nothing apart: single precision rounds so."""

_SMALLEST_SLOPE = 0.05
"""A detector that ranks calls backwards is not turned round here; it has to fail its acceptance."""


def calibrate(
    logits: ArrayLike, words: ArrayLike, labels: ArrayLike, weights: ArrayLike | None = None
) -> tuple[Calibration, Thresholds]:
    """Return the calibration and the alarm thresholds of a detector from calls it was not trained on.

    Both classes weigh the same, so that 0.5 is the even point whatever their share. Sets without both classes keep the
    logits as they are. A threshold counts calls, not moments: a call that warns at any of them is one false alarm.
    What was said of fewer than `FEWEST_WORDS` words counts for nothing, as nobody is warned of it.

    Args:
        logits: (W, N); any finite numbers.
        words: (W, N), how many words were heard.
        labels: (N,): 1 vishing, 0 normal.
        weights: (N,), above 0: what each call counts within its class when the even point is found. All the same where
            absent. The alarm thresholds count calls.

    Returns:
        The calibration and the thresholds, finite and in order for every input.
    """
    values, heard, truth = np.asarray(logits, dtype=np.float64), np.asarray(words), np.asarray(labels) > 0
    shares = np.ones(len(truth)) if weights is None else np.asarray(weights, dtype=np.float64)
    enough = heard >= FEWEST_WORDS
    truths, weighed = np.broadcast_to(truth, values.shape)[enough], np.broadcast_to(shares, values.shape)[enough]
    calibration = _fit_calibration(values[enough], lateness(heard[enough]), truths, weighed)
    scores = np.where(enough, calibrate_logits(values, heard, calibration), 0.0)
    return calibration, choose_thresholds(scores[:, ~truth].max(axis=0, initial=0.0))


def choose_thresholds(highest_scores: NDArray[np.float64]) -> Thresholds:
    """Return the scores that 150 (의심) and 15 (위험) of 1,000 normal calls ever reach, kept within sane ranges.

    A set too small for a quantile takes its largest score.

    Args:
        highest_scores: (N,), of normal calls: the highest of each while it ran.
    """
    suspicious = _threshold_at(highest_scores, SUSPICIOUS_FALSE_ALARMS, _SUSPICIOUS_RANGE)
    dangerous = _threshold_at(highest_scores, DANGEROUS_FALSE_ALARMS, _DANGEROUS_RANGE)
    return Thresholds(suspicious, max(dangerous, suspicious))


def _fit_calibration(
    logits: NDArray[np.float64], late: NDArray[np.float64], truth: NDArray[np.bool_], weights: NDArray[np.float64]
) -> Calibration:
    """Return the calibration of logits (M,); ``late`` (M,) is `lateness`.

    How the slope grows is measured from the middle, so that few calls leave it at nothing. The offset doesn't go with
    the words: that would take a call's length for evidence.
    """
    spread = float(np.std(logits)) if logits.size else 0.0
    if truth.all() or not truth.any() or spread < _SMALLEST_SPREAD * max(1.0, float(np.abs(logits).max())):
        return Calibration()
    even = weights / np.where(truth, weights[truth].sum(), weights[~truth].sum()) * (len(weights) / 2)
    features = np.stack([logits, (late - 0.5) * logits], axis=1) / spread
    fitted = LogisticRegression().fit(features, truth, sample_weight=even)
    slope, growth = fitted.coef_[0].tolist()
    early, later = (max((slope + side * growth) / spread, _SMALLEST_SLOPE) for side in (-0.5, 0.5))
    return Calibration(early, later, float(fitted.intercept_[0]))


def _threshold_at(scores: NDArray[np.float64], per_thousand: float, allowed: tuple[float, float]) -> float:
    if not scores.size:
        return allowed[0]
    reached = np.quantile(scores, 1 - per_thousand / 1000, method="higher")
    return float(np.clip(np.nextafter(reached, 1.0), *allowed))
