"""From the network's logit to a calibrated score, and from the score to what the device says."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models.domain.release import Calibration, Thresholds, Verdict

EVEN_SCORE = 0.5
"""The score of a call in which nothing was said yet: vishing and normal are equally likely. It never warns."""

FEWEST_WORDS = 5
"""Words (어절) to be heard before anybody is warned: a greeting alone scores like the many scams that begin so."""

_LARGEST_LOGIT = 30.0
"""Beyond it a score can't be told from 0 or 1 in float32 arithmetic; cutting there keeps it finite."""


def calibrate_logits(logits: ArrayLike, calibration: Calibration) -> NDArray[np.float64]:
    """Return calibrated scores (0 to 1, finite) for logits of any shape: sigmoid(slope * logit + offset)."""
    scaled = calibration.slope * np.asarray(logits, dtype=np.float64) + calibration.offset
    # Not np.clip: for the one logit of a call it takes longer than all the rest.
    cut = np.minimum(np.maximum(scaled, -_LARGEST_LOGIT), _LARGEST_LOGIT)
    return np.asarray(1.0 / (1.0 + np.exp(-cut)))


def decide(score: float, thresholds: Thresholds) -> Verdict:
    """Return the verdict on a calibrated score (0 to 1): 의심 and 위험 begin at their thresholds."""
    if score >= thresholds.dangerous:
        return Verdict.DANGEROUS
    if score >= thresholds.suspicious:
        return Verdict.SUSPICIOUS
    return Verdict.NORMAL
