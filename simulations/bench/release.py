"""Latency of a release: one call of 107 words, one thread, INT8 through ONNX Runtime against torch in FP32."""

from __future__ import annotations

import tempfile
from pathlib import Path

import torch

from models.corpus.generator import generate_calls
from models.detector.detector import TrainedDetector
from models.detector.embedded_calls import index_words
from models.detector.export import export_detector
from models.detector.runtime import OnnxDetector
from models.detector.scoring import score_indexed
from models.detector.training import TrainingSettings, train_detector
from models.text.clean import split_words
from simulations.bench.row import Row, compare, median_seconds, print_rows

WORDS, REPEATS = 107, 200


def measure() -> list[Row]:
    """Return a row: text of 107 words to score."""
    torch.set_num_threads(1)
    calls = generate_calls(200, seed=3)
    trained = train_detector(calls, TrainingSettings(epochs=1))
    longest = max(calls, key=lambda call: len(call.transcript))
    text = " ".join((split_words(longest.transcript) * WORDS)[:WORDS])
    with tempfile.TemporaryDirectory() as folder:
        export_detector(trained, Path(folder))
        detector = OnnxDetector.load(Path(folder))
        int8, fp32 = median_seconds(
            [lambda: detector.score(split_words(text)), lambda: _score_in_torch(trained, text)], REPEATS
        )
    return [compare("release_latency_t107", "ms", 1e3 * int8, "torch FP32", 1e3 * fp32)]


def _score_in_torch(trained: TrainedDetector, text: str) -> float:
    indexed = index_words([split_words(text)], [0], trained.embedding)
    return float(score_indexed(trained.build_network(), indexed)[0])


if __name__ == "__main__":
    print_rows(measure())
