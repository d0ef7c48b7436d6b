"""The detector itself: LSTM-Attention with its bag of n-grams, its INT8 release, and the same without one of the parts.

D dimensions of a word, H hidden units, T words, K distinct n-grams.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from models.comparison.peer import Cost, Fitted
from models.detector.classifier import HIDDEN
from models.detector.cut_calls import Words
from models.detector.detector import TrainedDetector
from models.detector.export import ScoresDifferError, export_detector
from models.detector.ngram_bag import distinct_ngrams
from models.detector.onnx_contract import ModelVariant
from models.detector.runtime import OnnxDetector
from models.detector.training import TrainingSettings, train_detector
from models.domain.call import Call

ATTENTION, ATTENTION_INT8 = "lstm-attention", "lstm-attention-int8"
ALONE, MEAN_POOLING = "lstm-attention-alone", "lstm-mean-pooling"

_FORMULA = (
    "T (8 H (D + H) + 4 H): the LSTM's products, attention and pooling; without attention T (8 H (D + H) + H). "
    "2 K for the bag of K distinct n-grams"
)
_ATTENTION_PARAMETERS = HIDDEN + 1


@dataclass(frozen=True, slots=True)
class Networks:
    """A detector trained by `train_detector` and run as devices run it: exported, in ONNX Runtime, on one thread.

    Attributes:
        settings: The recipe; the seed is the comparison's. Off attention, the mean of the LSTM's outputs is judged;
            off the bag, the network alone judges.
    """

    settings: TrainingSettings

    @property
    def rows(self) -> tuple[str, ...]:
        """FP32 and INT8 of one trained detector; without one of its parts, FP32 only."""
        if not self.settings.bag:
            return (ALONE,)
        return (ATTENTION, ATTENTION_INT8) if self.settings.attention else (MEAN_POOLING,)

    def fit(self, calls: Sequence[Call], seed: int, folder: Path) -> Mapping[str, Fitted]:
        """Return the fitted models."""
        trained = train_detector(calls, replace(self.settings, seed=seed))
        # A file that scores far from torch is written all the same: its row shows what rounding costs.
        with contextlib.suppress(ScoresDifferError):
            export_detector(trained, folder)
        variants = zip(self.rows, (ModelVariant.FP32, ModelVariant.INT8), strict=False)
        return {row: _open(trained, folder, variant, self.settings) for row, variant in variants}


def _open(trained: TrainedDetector, folder: Path, variant: ModelVariant, settings: TrainingSettings) -> Fitted:
    detector = OnnxDetector.load(folder, variant)
    embedding = trained.embedding

    def flops(words: Words) -> int:
        ngrams = next(distinct_ngrams([words], embedding.scheme)) if settings.bag else ()
        return count_flops(len(words), embedding.dimensions, attention=settings.attention) + 2 * len(ngrams)

    cost = Cost(
        parameters=trained.card.parameters - (0 if settings.attention else _ATTENTION_PARAMETERS),
        size=(folder / variant).stat().st_size,
        embedding_size=trained.tables_size,
        flops=flops,
        formula=_FORMULA,
    )
    return Fitted(detector.score_batch, detector.thresholds, cost)


def count_flops(words: int, dimensions: int, *, attention: bool = True) -> int:
    """Return the network's operations on a call; a multiplication and an addition are two.

    1.99e7 at the paper's 107 words and 300 dimensions.
    """
    return words * (8 * HIDDEN * (dimensions + HIDDEN) + (4 * HIDDEN if attention else HIDDEN))
