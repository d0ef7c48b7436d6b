from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.detector.decision import EVEN_SCORE, calibrate_logits
from models.detector.detector import TrainedDetector
from models.detector.embedded_calls import index_words
from models.detector.export import export_detector
from models.detector.ngram_bag import NgramBag
from models.detector.onnx_contract import ModelVariant
from models.detector.runtime import OnnxDetector, State
from models.detector.scoring import score_indexed
from models.errors import ModelFileError
from models.text.ngrams import PADDING
from tests.models.detector.small import SCHEME, small_detector

VOCABULARY = [
    "검찰",
    "수사관",
    "계좌",
    "대출",
    "네",
    "여보세요",
    "택배",
    "상품",
    "확인",
    "민원",
    "접수",
    "안전",
    "이체",
    "a",
    "12",
]
calls_of_words = st.lists(st.sampled_from(VOCABULARY), min_size=1, max_size=120)


@pytest.fixture(scope="module")
def trained() -> TrainedDetector:
    return small_detector()


@pytest.fixture(scope="module")
def exported(trained: TrainedDetector, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("exported")
    export_detector(trained, directory)
    return directory


@pytest.fixture(scope="module")
def detector(exported: Path) -> OnnxDetector:
    return OnnxDetector.load(exported)


@pytest.mark.parametrize(("variant", "allowed"), [(ModelVariant.FP32, 1e-5), (ModelVariant.INT8, 1e-2)])
def test_scores_equal_torchs(trained: TrainedDetector, exported: Path, variant: ModelVariant, allowed: float) -> None:
    rng = np.random.default_rng(3)
    words = [list(rng.choice(VOCABULARY, size=size)) for size in (1, 7, 57, 107, 300)]
    expected = score_indexed(trained.build_network(), index_words(words, [0] * 5, trained.embedding, trained.bag))

    found = OnnxDetector.load(exported, variant).score_batch(words)

    np.testing.assert_allclose(found, calibrate_logits(expected, [*map(len, words)], trained.calibration), atol=allowed)


def test_a_bag_that_knows_no_ngram_adds_its_bias_alone(trained: TrainedDetector, tmp_path: Path) -> None:
    unknowing = replace(trained, bag=replace(NgramBag.silent(SCHEME), bias=0.4))
    export_detector(unknowing, tmp_path)
    indexed = index_words([VOCABULARY, VOCABULARY[:2]], [0, 0], trained.embedding)

    found = OnnxDetector.load(tmp_path, ModelVariant.FP32).logit_batch([VOCABULARY, VOCABULARY[:2]])

    np.testing.assert_allclose(found, score_indexed(trained.build_network(), indexed) + 0.4, atol=1e-5)


@settings(max_examples=40)
@given(words=calls_of_words, cuts=st.lists(st.integers(0, 120), max_size=6))
def test_a_growing_call_scores_like_the_whole_call(detector: OnnxDetector, words: list[str], cuts: list[int]) -> None:
    listener = detector.begin()
    edges = [0, *sorted(min(cut, len(words)) for cut in cuts), len(words)]

    for start, end in itertools.pairwise(edges):
        listener.hear(words[start:end])

    whole = detector.begin()
    whole.hear(words)
    assert listener.score == pytest.approx(whole.score, abs=1e-5)
    np.testing.assert_allclose(listener.attention, whole.attention, atol=1e-5)


@settings(max_examples=25)
@given(calls=st.lists(st.lists(st.sampled_from(VOCABULARY), max_size=60), max_size=6))
def test_a_score_does_not_depend_on_the_batch(detector: OnnxDetector, calls: list[list[str]]) -> None:
    alone = [detector.score(words) for words in calls]

    np.testing.assert_allclose(detector.score_batch(calls), alone, atol=1e-5)


def test_a_call_without_words_has_the_even_score(detector: OnnxDetector) -> None:
    listener = detector.begin()
    listener.hear([])

    assert listener.score == EVEN_SCORE
    assert listener.attention.size == 0


def test_what_was_heard_before_is_padding_and_never_an_empty_row(detector: OnnxDetector) -> None:
    once = np.array([[[3, 5], [5, 0]]], dtype=np.int32)
    heard, fresh = detector.silence.hear(once)
    again, nothing = State(detector.silence.numbers, heard).hear(once)

    assert sorted(fresh[0].tolist()) == [3, 5]
    assert nothing.tolist() == [[PADDING]]  # ONNX Runtime before 1.17 sums no empty rows
    assert np.flatnonzero(again[0]).tolist() == [PADDING, 3, 5]
    assert np.flatnonzero(detector.silence.heard[0]).tolist() == [PADDING]


def test_attention_sums_to_one_over_all_words_heard(detector: OnnxDetector) -> None:
    listener = detector.begin()
    listener.hear(VOCABULARY)
    listener.hear(VOCABULARY[:3])

    assert listener.attention.shape == (len(VOCABULARY) + 3,)
    assert listener.attention.sum() == pytest.approx(1)


def test_a_call_of_three_hours_is_judged_like_its_pieces(detector: OnnxDetector) -> None:
    words = VOCABULARY * 1300
    listener = detector.begin()
    for word in range(0, len(words), 500):
        listener.hear(words[word : word + 500])

    assert detector.score_batch([words, words[:9]])[0] == pytest.approx(listener.score, abs=1e-5)


def _edit_metadata(change: Callable[[dict[str, object]], object]) -> Callable[[Path], None]:
    def edit(directory: Path) -> None:
        path = directory / "detector.json"
        metadata = json.loads(path.read_text())
        change(metadata)
        path.write_text(json.dumps(metadata))

    return edit


def _truncate(directory: Path) -> None:
    path = directory / ModelVariant.INT8
    path.write_bytes(path.read_bytes()[:-7])


def _swap_models(directory: Path) -> None:
    (directory / ModelVariant.INT8).write_bytes((directory / ModelVariant.FP32).read_bytes())


@pytest.mark.parametrize(
    "damage",
    [
        lambda directory: (directory / "detector.json").unlink(),
        lambda directory: (directory / ModelVariant.INT8).unlink(),
        _truncate,
        _swap_models,
        _edit_metadata(lambda m: m.update(opset=99)),
        _edit_metadata(lambda m: m.update(format="another/1")),
        _edit_metadata(lambda m: m.update(dimensions=9)),
        _edit_metadata(lambda m: m.update(hidden=32)),
        _edit_metadata(lambda m: m.pop("thresholds")),
        _edit_metadata(lambda m: m["scheme"].update(buckets=400)),  # type: ignore[attr-defined]
        _edit_metadata(lambda m: m["calibration"].update(late_slope=float("nan"))),  # type: ignore[attr-defined]
        _edit_metadata(lambda m: m["thresholds"].update(suspicious=0.2)),  # type: ignore[attr-defined]
    ],
)
def test_a_release_that_is_damaged_is_refused_before_any_score(
    trained: TrainedDetector, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    export_detector(trained, tmp_path)
    damage(tmp_path)

    with pytest.raises(ModelFileError):
        OnnxDetector.load(tmp_path)
