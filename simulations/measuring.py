"""How good a model is, on the server's acceptance set and on calls kept apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import f1_score, roc_auc_score

from fl_server.acceptance import AcceptanceScore
from models.detector.calibration import calibrate
from models.detector.classifier import Classifier
from models.detector.decision import calibrate_logits
from models.detector.detector import TrainedDetector
from models.detector.embedded_calls import index_calls
from models.detector.scoring import score_indexed, score_windows
from models.domain.call import Call, Label, ScamType
from models.domain.release import Calibration, Thresholds
from models.privacy.vectors import Arrays
from models.text.window import WINDOWS
from simulations.report.content import Scores

JUDGED_AT_SECONDS = 30.0
"""Before and after are compared at 30 s of call, as the detector's paper does."""

_JUDGED_WINDOW = WINDOWS.index(JUDGED_AT_SECONDS)


class Judge:
    """Judges models on two sets of calls that are embedded once."""

    def __init__(self, base: TrainedDetector, acceptance: Sequence[Call], kept_apart: Sequence[Call]) -> None:
        """Embed the calls as far as they are heard.

        Args:
            base: Its embedding and sizes hold for every model that is judged.
            acceptance: The server's own calls: models are calibrated on all `WINDOWS` of these, and chosen on 30 s.
            kept_apart: Calls on which nothing is chosen; heard for 30 s.
        """
        self._base = base
        self._acceptance = [index_calls(acceptance, at, base.embedding, base.bag) for at in WINDOWS]
        self._kept_apart = index_calls(kept_apart, JUDGED_AT_SECONDS, base.embedding, base.bag)
        self._types = [call.scam_type if call.label is Label.VISHING else None for call in kept_apart]

    def calibrate(self, parameters: Arrays) -> tuple[Calibration, Thresholds]:
        """Return a model's calibration and alarm thresholds, from the acceptance set alone."""
        return self._calibrated(parameters)[1:]

    def accept(self, parameters: Arrays) -> AcceptanceScore:
        """Return how good a model is on the acceptance set, after calibration."""
        logits, calibration, thresholds = self._calibrated(parameters)
        heard = self._acceptance[_JUDGED_WINDOW]
        scores = calibrate_logits(logits[_JUDGED_WINDOW], heard.words, calibration)
        losses = _cross_entropies(scores, heard.labels)
        alarms = scores >= thresholds.suspicious
        return AcceptanceScore(
            f1=float(f1_score(heard.labels, alarms, zero_division=0)),
            false_alarms_per_1000=_per_1000(alarms[heard.labels == 0]),
            loss=float(losses.mean()),
            loss_error=float(losses.std() / np.sqrt(len(losses))),
        )

    def measure(self, parameters: Arrays) -> Scores:
        """Return how good a model is on the calls kept apart, calibrated on the acceptance set."""
        calibration, thresholds = self.calibrate(parameters)
        heard, labels = self._kept_apart, self._kept_apart.labels
        scores = calibrate_logits(score_indexed(self._network(parameters), heard), heard.words, calibration)
        alarms = scores >= thresholds.suspicious
        return Scores(
            f1=float(f1_score(labels, alarms, zero_division=0)),
            recall_by_type=self._recall_by_type(alarms),
            calls_by_type=Counter(scam_type for scam_type in self._types if scam_type),
            false_alarms_per_1000=_per_1000(alarms[labels == 0]),
            roc_auc=float(roc_auc_score(labels, scores)),
            n=len(labels),
        )

    def _calibrated(self, parameters: Arrays) -> tuple[NDArray[np.float64], Calibration, Thresholds]:
        """Return what a model says of the acceptance set at each of `WINDOWS`, (W, N), and what that means."""
        logits = score_windows(self._network(parameters), self._acceptance)
        words = np.array([heard.words for heard in self._acceptance])
        return logits, *calibrate(logits, words, self._acceptance[0].labels)

    def _network(self, parameters: Arrays) -> Classifier:
        return self._base.with_parameters(parameters).build_network()

    def _recall_by_type(self, alarms: NDArray[np.bool_]) -> dict[ScamType, float]:
        raised = Counter(scam_type for scam_type, alarm in zip(self._types, alarms, strict=True) if scam_type and alarm)
        asked = Counter(scam_type for scam_type in self._types if scam_type)
        return {scam_type: raised[scam_type] / count for scam_type, count in asked.items()}


def _cross_entropies(scores: NDArray[np.float64], labels: NDArray[np.float32]) -> NDArray[np.float64]:
    right = np.clip(np.where(labels > 0, scores, 1 - scores), 1e-12, None)
    return np.asarray(-np.log(right))


def _per_1000(alarms: NDArray[np.bool_]) -> float:
    return 1000 * float(alarms.mean()) if alarms.size else 0.0
