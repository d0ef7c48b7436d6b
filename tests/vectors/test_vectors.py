"""The golden vectors hold for every part that computes a step of them: text to words to ids to score."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.detector.decision import calibrate_logits
from models.detector.detector import TrainedDetector
from models.detector.embedded_calls import index_words
from models.detector.export import export_detector
from models.detector.onnx_contract import ModelVariant
from models.detector.runtime import OnnxDetector
from models.detector.scoring import score_indexed
from models.text.clean import split_words
from models.text.ngrams import PADDING, encode_words, ngram_ids
from tests.vectors.make import RELEASE, TEXTS, TRAINED, VECTORS

Vectors = list[dict[str, Any]]


@pytest.fixture(scope="module")
def vectors() -> Vectors:
    return json.loads(VECTORS.read_text())


@pytest.fixture(scope="module")
def trained() -> TrainedDetector:
    return TrainedDetector.load(TRAINED)


def test_the_vectors_are_of_the_texts_that_the_command_holds(vectors: Vectors) -> None:
    assert {each["name"]: each["text"] for each in vectors} == TEXTS


def test_cleaning_gives_the_golden_words(vectors: Vectors) -> None:
    assert [split_words(each["text"]) for each in vectors] == [each["words"] for each in vectors]


def test_hashing_gives_the_golden_ids_word_by_word_and_all_at_once(vectors: Vectors, trained: TrainedDetector) -> None:
    scheme = trained.embedding.scheme
    for each in vectors:
        assert [list(ngram_ids(word, scheme)) for word in each["words"]] == each["ids"]
        encoded = encode_words(each["words"], scheme)
        assert [[number for number in row if number != PADDING] for row in encoded.tolist()] == each["ids"]


@pytest.mark.parametrize("variant", [ModelVariant.INT8, ModelVariant.INT8_ORT])
def test_the_release_gives_the_golden_scores_whole_and_growing(vectors: Vectors, variant: ModelVariant) -> None:
    detector = OnnxDetector.load(RELEASE, variant)
    scores = detector.score_batch([each["words"] for each in vectors])
    np.testing.assert_allclose(scores, [each["score"] for each in vectors], atol=1e-5)
    for each in vectors:
        listener, growing = detector.begin(), []
        for at in range(0, len(each["words"]), 7):
            listener.hear(each["words"][at : at + 7])
            growing.append(listener.score)
        assert growing == pytest.approx(each["growing"], abs=1e-5)
        assert not growing or growing[-1] == pytest.approx(each["score"], abs=1e-5)


def test_exporting_the_trained_detector_again_gives_the_golden_scores(
    vectors: Vectors, trained: TrainedDetector, tmp_path: Path
) -> None:
    export_detector(trained, tmp_path)
    again = OnnxDetector.load(tmp_path)
    scores = again.score_batch([each["words"] for each in vectors])
    np.testing.assert_allclose(scores, [each["score"] for each in vectors], atol=1e-5)


def test_torch_scores_as_the_release_does_but_for_rounding(vectors: Vectors, trained: TrainedDetector) -> None:
    spoken = [each for each in vectors if each["words"]]
    words = [each["words"] for each in spoken]
    calls = index_words(words, [0] * len(words), trained.embedding, trained.bag)
    logits = score_indexed(trained.build_network(), calls)
    expected = [each["score"] for each in spoken]
    np.testing.assert_allclose(calibrate_logits(logits, [*map(len, words)], trained.calibration), expected, atol=1e-2)


def test_the_vectors_tell_vishing_from_normal_calls(vectors: Vectors) -> None:
    scores = {each["name"]: each["score"] for each in vectors}
    assert scores["agency"] > 0.9
    assert max(scores["lunch"], scores["hospital"]) < 0.2


def test_all_that_is_kept_is_below_a_megabyte() -> None:
    kept = [path for path in VECTORS.parent.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    assert sum(path.stat().st_size for path in kept) < 1_000_000
