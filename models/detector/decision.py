"""From the network's logit to a calibrated score, and from the score to what the device says."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models.domain.release import Calibration, Thresholds, Verdict

EVEN_SCORE = 0.5
"""The score of a call in which nothing was said yet: vishing and normal are equally likely. It never warns."""

FEWEST_WORDS = 5
"""Words (어절) to be heard before anybody is warned: a greeting alone scores like the many scams that begin so."""

EARLY_WORDS, LATE_WORDS = 15, 315
"""Words heard where a calibration's slope begins and ends to change: the mean numbers after 10 and 180 s of call."""

_LARGEST_LOGIT = 30.0
"""Beyond it a score can't be told from 0 or 1 in float32 arithmetic; cutting there keeps it finite."""


def calibrate_logits(logits: ArrayLike, words: ArrayLike, calibration: Calibration) -> NDArray[np.float64]:
    """Return calibrated scores (0 to 1, finite) for logits of any shape: sigmoid(slope(words) * logit + offset).

    Args:
        logits: Any finite numbers.
        words: How many words each was heard of, in the same shape or one that broadcasts to it.
        calibration: Of the detector.
    """
    slope = calibration.early_slope + lateness(words) * (calibration.late_slope - calibration.early_slope)
    scaled = slope * np.asarray(logits, dtype=np.float64) + calibration.offset
    # Not np.clip: for the one logit of a call it takes longer than all the rest.
    cut = np.minimum(np.maximum(scaled, -_LARGEST_LOGIT), _LARGEST_LOGIT)
    return np.asarray(1.0 / (1.0 + np.exp(-cut)))


def lateness(words: ArrayLike) -> NDArray[np.float64]:
    """Return how far from `EARLY_WORDS` (0) to `LATE_WORDS` (1) calls are, on a logarithmic scale, by words heard."""
    within = np.minimum(np.maximum(np.asarray(words, dtype=np.float64), EARLY_WORDS), LATE_WORDS)
    return np.asarray(np.log(within / EARLY_WORDS) / np.log(LATE_WORDS / EARLY_WORDS))


def decide(score: float, words: int, thresholds: Thresholds) -> Verdict:
    """Return the verdict on a calibrated score (0 to 1): 의심 and 위험 begin at their thresholds.

    Nobody is warned before `FEWEST_WORDS` were heard.
    """
    if words < FEWEST_WORDS or score < thresholds.suspicious:
        return Verdict.NORMAL
    return Verdict.DANGEROUS if score >= thresholds.dangerous else Verdict.SUSPICIOUS
