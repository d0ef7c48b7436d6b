"""INT8 against FP32, on a trained detector and synthetic calls at every window; and the dynamically quantised graph."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models.corpus.generator import generate_calls
from models.detector.decision import decide
from models.detector.detector import TrainedDetector
from models.detector.export import export_detector
from models.detector.onnx_contract import ModelVariant
from models.detector.runtime import OnnxDetector
from models.errors import ModelFileError
from models.text.window import WINDOWS, words_until
from tests.vectors.make import RELEASE, TRAINED

CALLS = 200


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exported")
    export_detector(TrainedDetector.load(TRAINED), folder, dynamic=True)
    return folder


def spoken() -> list[list[str]]:
    windows = [words_until(call, seconds) for call in generate_calls(CALLS, seed=4) for seconds in WINDOWS]
    return [words for words in windows if words]


def test_int8_scores_and_judges_as_fp32_does(exported: Path) -> None:
    fp32, int8 = (OnnxDetector.load(exported, variant) for variant in (ModelVariant.FP32, ModelVariant.INT8))
    assert fp32.thresholds == int8.thresholds
    words = spoken()
    before, after = fp32.score_batch(words), int8.score_batch(words)
    assert np.abs(before - after).max() <= 0.005
    # Rounded weights can't keep every verdict of a score that lies on a threshold; one call in 200 may lie so near.
    flipped = {
        tuple(heard)
        for heard, *scores in zip(words, before, after, strict=True)
        if len({decide(score, len(heard), fp32.thresholds) for score in scores}) > 1
    }
    assert len(flipped) <= CALLS // 200
    assert len(words) > 5 * CALLS


def test_the_dynamically_quantised_graph_is_near_too_but_depends_on_the_batch(exported: Path) -> None:
    fp32, dynamic = (OnnxDetector.load(exported, variant) for variant in (ModelVariant.FP32, ModelVariant.DYNAMIC))
    words = spoken()[:120]
    alone = np.array([dynamic.score(each) for each in words])
    assert np.abs(alone - fp32.score_batch(words)).max() <= 0.05
    assert np.abs(alone - dynamic.score_batch(words)).max() > 1e-6


def test_it_is_exported_only_where_asked_and_never_released(exported: Path) -> None:
    assert (exported / ModelVariant.DYNAMIC).exists()
    with pytest.raises(ModelFileError):
        OnnxDetector.load(RELEASE, ModelVariant.DYNAMIC)


def test_the_network_alone_is_small_enough_for_any_phone(exported: Path) -> None:
    tables = TrainedDetector.load(TRAINED).tables_size
    assert (exported / ModelVariant.INT8).stat().st_size - tables <= 120_000
