"""Exporting a trained detector: FP32 and INT8 graphs, ``.ort`` beside ``.onnx``, and their metadata.

Nothing is called good before ONNX Runtime gave it torch's scores.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnx import ModelProto, helper
from onnxruntime.quantization import quantize_dynamic

from models.detector.card import DetectorCard
from models.detector.detector import TrainedDetector
from models.detector.embedded_calls import index_words
from models.detector.graph import build_graph
from models.detector.model_file import METADATA, model_file_errors, write_bytes, write_metadata, writing_directory
from models.detector.onnx_contract import EXPORTED, FORMAT, OPSET, ModelVariant
from models.detector.runtime import OnnxDetector
from models.detector.scoring import score_indexed
from models.errors import ModelFileError

LARGEST_DIFFERENCE = {
    ModelVariant.FP32: 1e-4,
    ModelVariant.INT8: 1e-2,
    ModelVariant.INT8_ORT: 1e-2,
    ModelVariant.DYNAMIC: 5e-2,
}
"""How far a file's score may be from torch's."""


class ScoresDifferError(ModelFileError):
    """The files are whole, but one scores too far from torch: a model full of noise doesn't bear rounding.

    Attributes:
        variant: The file.
        difference: The largest of scores before calibration.
        files: What was written, as ``export_detector`` returns it.
    """

    def __init__(self, variant: ModelVariant, difference: float, files: list[Path]) -> None:
        self.variant, self.difference, self.files = variant, difference, files
        super().__init__(f"{variant.value}: scores differ from torch's by {difference:.2g}")


_CHECKED_CALLS = 64
_CHECKED_WORDS = 120


def export_detector(trained: TrainedDetector, directory: Path, *, dynamic: bool = False) -> list[Path]:
    """Write ``detector.onnx``, ``detector.int8.onnx``, ``detector.int8.ort`` and ``detector.json``.

    Args:
        trained: What to export.
        directory: Where to; made where it is absent.
        dynamic: Write ``detector.dynamic.onnx`` too: activations are quantised as well, by each run's largest.

    Returns:
        The files written, the metadata last.

    Raises:
        ModelFileError: The directory can't be written to.
        ScoresDifferError: A file doesn't give torch's scores; all are written.
    """
    variants = [*EXPORTED, ModelVariant.DYNAMIC] if dynamic else list(EXPORTED)
    metadata = {"format": FORMAT, "opset": OPSET, **trained.card.to_json(), "lineage": dict(trained.lineage)}
    with writing_directory(directory) as folder:
        _write_model(folder / ModelVariant.FP32, build_graph(trained, int8=False))
        _write_model(folder / ModelVariant.INT8, build_graph(trained, int8=True))
        _write_ort(folder / ModelVariant.INT8, folder / ModelVariant.INT8_ORT)
        if dynamic:
            _write_dynamic(folder / ModelVariant.DYNAMIC, build_graph(trained, int8=False))
        write_metadata(folder, metadata, variants)
        differences = {variant: _score_difference(trained, folder, variant) for variant in variants}
    files = [*(directory / variant for variant in variants), directory / METADATA]
    for variant, difference in differences.items():
        if not difference <= LARGEST_DIFFERENCE[variant]:
            raise ScoresDifferError(variant, difference, files)
    return files


def _write_model(path: Path, model: ModelProto) -> None:
    write_bytes(path, model.SerializeToString(deterministic=True))


def _write_dynamic(path: Path, model: ModelProto) -> None:
    """Quantise the LSTM dynamically (a scale a gate unit for its weights), and nothing else."""
    helper.set_model_props(model, {"onnx.quant.pre_process": "onnxruntime.quant"})  # or it warns of large graphs
    with model_file_errors(path), tempfile.TemporaryDirectory() as folder:
        quantised = Path(folder) / path.name
        quantize_dynamic(model, quantised, op_types_to_quantize=["LSTM"], per_channel=True)
        write_bytes(path, quantised.read_bytes())


def _write_ort(source: Path, target: Path) -> None:
    """Convert to ONNX Runtime's own format, with the optimisations that every processor shares."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(target)
    options.add_session_config_entry("session.save_model_format", "ORT")
    options.log_severity_level = 4
    with model_file_errors(target):
        try:
            onnxruntime.InferenceSession(str(source), options, providers=["CPUExecutionProvider"])
        except RuntimeError as error:
            raise ModelFileError(f"{target}: could not be written") from error


def _score_difference(trained: TrainedDetector, directory: Path, variant: ModelVariant) -> float:
    words = _random_words(trained.card)
    calls = index_words(words, [0] * len(words), trained.embedding, trained.bag)
    expected = score_indexed(trained.build_network(), calls)
    found = OnnxDetector.load(directory, variant).logit_batch(words)
    return float(np.abs(_sigmoid(expected) - _sigmoid(found)).max())


def _random_words(card: DetectorCard) -> list[list[str]]:
    """Return calls of random Hangul syllables: no one's words, and every bucket may be hit."""
    rng = np.random.default_rng(0)
    lengths = rng.integers(1, _CHECKED_WORDS, size=_CHECKED_CALLS)
    return [[_random_word(rng) for _ in range(length)] for length in lengths]


def _random_word(rng: np.random.Generator) -> str:
    return "".join(chr(code) for code in rng.integers(0xAC00, 0xD7A4, size=rng.integers(1, 6)))


def _sigmoid(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    return 1 / (1 + np.exp(-logits))
