"""A detector's directory, trained or exported, as something that scores calls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models.detector.decision import EVEN_SCORE, calibrate_logits
from models.detector.evaluation import Scorer, WindowScores
from models.detector.model_file import METADATA
from models.detector.onnx_contract import ModelVariant
from models.detector.runtime import OnnxDetector
from models.domain.call import Call
from models.domain.release import Thresholds
from models.errors import ModelFileError
from models.text.window import words_until


@dataclass(frozen=True, slots=True)
class OpenedDetector:
    """What a directory's detector needs to be measured by."""

    score: Scorer
    thresholds: Thresholds


def open_detector(directory: Path) -> OpenedDetector:
    """Open a trained directory to run in torch, or an exported one (or a release) to run its INT8 in ONNX Runtime.

    Raises:
        ModelFileError: It holds no detector, or a damaged one.
    """
    if not (directory / METADATA).is_file():
        raise ModelFileError(f"{directory}: expected a detector's directory, with {METADATA} in it")
    if (directory / ModelVariant.INT8).exists():
        return _open_exported(directory)
    return _open_trained(directory)


def _open_exported(directory: Path) -> OpenedDetector:
    detector = OnnxDetector.load(directory)

    def score(calls: Sequence[Call], seconds: float) -> WindowScores:
        heard = [words_until(call, seconds) for call in calls]
        return WindowScores(detector.score_batch(heard), np.array([*map(len, heard)]))

    return OpenedDetector(score, detector.thresholds)


def _open_trained(directory: Path) -> OpenedDetector:
    # Only here: an install that only detects has no torch.
    from models.detector.detector import TrainedDetector
    from models.detector.scoring import score_calls

    trained = TrainedDetector.load(directory)

    def score(calls: Sequence[Call], seconds: float) -> WindowScores:
        words = np.array([len(words_until(call, seconds)) for call in calls])
        scores = calibrate_logits(score_calls(trained, calls, seconds), words, trained.calibration)
        return WindowScores(np.where(words > 0, scores, EVEN_SCORE), words)

    return OpenedDetector(score, trained.thresholds)
