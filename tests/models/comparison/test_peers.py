from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from models.comparison import networks, peer
from models.comparison.networks import Networks, count_flops
from models.comparison.peer import Cost, Fitted, Uncalibrated, fit_calibrated
from models.detector.classifier import AttentionPooling
from models.detector.cut_calls import LEARNED_AT, cut_calls
from models.detector.decision import EVEN_SCORE, calibrate_logits
from models.detector.heard_calls import weigh_sources
from models.detector.onnx_contract import ModelVariant
from models.detector.rehearsal import halve_calls
from models.detector.runtime import OnnxDetector, State, feed
from models.detector.training import TrainingSettings, train_detector
from models.domain.call import Call, Label, Segment
from models.domain.release import Calibration, Thresholds
from models.text.ngrams import encode_words, ngram_ids
from models.text.window import WINDOWS, words_until
from tests.models.comparison.tiny import PEERS, SETTINGS
from tests.models.detector.small import SCHEME, authored_calls

CALLS = authored_calls(40)
COST = Cost(1, 1, 0, len, "")


@pytest.mark.parametrize("name", [name for name in PEERS if "networks" not in name])
def test_a_peer_learns_what_gives_the_label_away_and_says_what_it_costs(name: str, tmp_path: Path) -> None:
    probe = [words_until(call, 30) for call in CALLS]
    fitted = PEERS[name].fit(CALLS, 0, tmp_path)

    assert tuple(fitted) == PEERS[name].rows
    for model in fitted.values():
        scores = model.score(probe)
        assert scores[::2].min() > scores[1::2].max()
        assert 0.5 < model.thresholds.suspicious <= model.thresholds.dangerous <= 1
        assert 0 <= model.cost.embedding_size < model.cost.size
        assert 0 < model.cost.flops(probe[0]) < model.cost.flops(probe[0] * 4)
        assert model.cost.parameters


@pytest.mark.parametrize("name", [name for name in PEERS if "networks" not in name])
def test_the_same_seed_gives_the_same_scores(name: str, tmp_path: Path) -> None:
    probe = [words_until(call, 20) for call in CALLS[:6]]
    scores = []
    for folder in ("first", "second"):
        (tmp_path / folder).mkdir()
        scores.append([m.score(probe).tolist() for m in PEERS[name].fit(CALLS, 3, tmp_path / folder).values()])
    assert scores[0] == scores[1]


def test_int8_comes_from_the_exported_file_and_scores_as_fp32_within_a_hundredth(tmp_path: Path) -> None:
    fitted = Networks(replace(SETTINGS, epochs=8, steps=60)).fit(CALLS, 0, tmp_path)
    full, small = fitted[networks.ATTENTION], fitted[networks.ATTENTION_INT8]
    probe = [words_until(call, 60) for call in CALLS]
    released = OnnxDetector.load(tmp_path, ModelVariant.INT8)

    assert small.cost.size == (tmp_path / ModelVariant.INT8).stat().st_size < full.cost.size
    assert np.array_equal(small.score(probe), released.score_batch(probe))
    assert 0 < np.abs(full.score(probe) - small.score(probe)).max() < 0.01


def test_without_attention_every_word_weighs_the_same_also_after_training() -> None:
    trained = train_detector(CALLS, TrainingSettings(8, SCHEME, epochs=2, steps=6, attention=False))
    head = trained.build_network().head
    _, weights = head(torch.randn(1, 4, 64), torch.tensor([3]))

    assert weights.tolist() == [pytest.approx([1 / 3, 1 / 3, 1 / 3, 0])]
    assert np.abs(trained.parameters["lstm.weight_hh_l0"]).max() > 0


def test_with_attention_words_do_not_weigh_the_same_after_training() -> None:
    trained = train_detector(CALLS, SETTINGS)
    hidden = torch.randn(1, 4, 64, generator=torch.Generator().manual_seed(0))
    _, weights = trained.build_network().head(hidden, torch.tensor([3]))
    assert float(weights[0, :3].detach().std()) > 1e-4


def test_without_attention_65_parameters_fewer_are_counted(tmp_path: Path) -> None:
    (tmp_path / "with").mkdir()
    (tmp_path / "without").mkdir()
    full = PEERS["networks"].fit(CALLS, 0, tmp_path / "with")[networks.ATTENTION]
    mean = PEERS["networks without attention"].fit(CALLS, 0, tmp_path / "without")[networks.MEAN_POOLING]
    assert full.cost.parameters == mean.cost.parameters + 65


def test_operations_are_counted_as_in_the_paper() -> None:
    assert count_flops(57, 300) == pytest.approx(1.07e7, rel=0.01)
    assert count_flops(107, 300) == pytest.approx(2.00e7, rel=0.01)


def test_a_call_without_words_is_even_and_never_judged() -> None:
    fitted = Fitted(lambda calls: np.array([0.9 for words in calls if words]), Thresholds(0.6, 0.9), COST)

    assert fitted.score([[], ["네"], []]).tolist() == [EVEN_SCORE, 0.9, EVEN_SCORE]
    assert fitted.score([[]]).tolist() == [EVEN_SCORE]


def test_examples_are_calls_cut_at_every_window_and_each_source_and_label_weighs_the_same() -> None:
    calls = [Call("v", Label.VISHING, text="계좌 " * 400, source="a")]
    calls += [Call(f"n{n}", Label.NORMAL, text="점심 " * 400, source="b") for n in range(3)]
    examples = cut_calls(calls)

    assert len(examples.words) == 4 * len(LEARNED_AT)
    assert [len(words) for words in examples.words[::4]] == [15, 33, 51, 103, 207, 315]
    assert examples.weights.mean() == pytest.approx(1)
    assert examples.weights[examples.labels == 1].sum() == pytest.approx(examples.weights[examples.labels == 0].sum())


def test_calibration_and_thresholds_come_from_calls_that_a_rehearsal_did_not_learn() -> None:
    learned: list[set[str]] = []
    judged: list[set[str]] = []

    def fit(examples, seed):  # type: ignore[no-untyped-def]
        learned.append({words[0] for words in examples.words})

        def judge(calls):  # type: ignore[no-untyped-def]
            if len(judged) < 2:
                judged.append({words[0] for words in calls})
            return np.array([3.0 if "검찰에서" in words else -1.0 for words in calls])

        return {"row": Uncalibrated(judge, lambda: COST)}

    fitted = fit_calibrated(fit, CALLS, seed=0)["row"]

    first, second, everything = learned
    assert judged == [second, first]
    assert not first & second
    assert first | second == everything
    # Platt's even point lies halfway between the two logits, 3 and -1; asked of calls as long as those judged.
    assert fitted.score([["검찰에서"] * 50, ["점심을"] * 50]).sum() == pytest.approx(1, abs=1e-3)


def test_a_peer_is_calibrated_at_every_window_and_by_how_many_words_were_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    given, growing = [], Calibration(early_slope=0.01, late_slope=0.04)
    monkeypatch.setattr(peer, "calibrate", lambda *what: given.append(what) or (growing, Thresholds(0.6, 0.9)))
    late = tuple(Segment(at, at + 1, "여보세요 누구세요") for at in range(15, 55, 5))
    calls = [replace(call, source="rare") if at < 6 else call for at, call in enumerate(CALLS)]
    calls += [Call(f"late-{label}", label, segments=late, source="late") for label in Label]

    def fit(examples, seed):  # type: ignore[no-untyped-def]
        return {"row": Uncalibrated(lambda calls: np.array([*map(len, calls)]) - 20.0, lambda: COST)}

    fitted = fit_calibrated(fit, calls, seed=0)["row"]

    ((logits, words, labels, weights),) = given
    judged = [call for half in halve_calls(calls, 0)[::-1] for call in half]
    assert words.tolist() == [[len(words_until(call, at)) for call in judged] for at in WINDOWS]
    assert logits.tolist() == np.where(words > 0, words - 20.0, 0.0).tolist()
    assert labels == [call.label for call in judged]
    assert weights.tolist() == weigh_sources(judged).tolist()
    assert len(set(weights.tolist())) > 1
    few, many = ["네"] * 10, ["네"] * 60
    expected = calibrate_logits([-10.0, 40.0], [10, 60], growing)
    np.testing.assert_allclose(fitted.score([few, many]), expected)


def test_attention_pooling_over_vectors_of_any_width_gives_weights_that_sum_to_one() -> None:
    _, weights = AttentionPooling(5)(torch.randn(2, 7, 5), torch.tensor([7, 2]))
    assert weights.sum(dim=1).tolist() == pytest.approx([1, 1])
    assert weights[1, 2:].tolist() == [0] * 5


def test_the_row_of_the_network_alone_is_the_detectors_without_its_bag(tmp_path: Path) -> None:
    (tmp_path / "with").mkdir()
    (tmp_path / "alone").mkdir()
    full = PEERS["networks"].fit(CALLS, 0, tmp_path / "with")[networks.ATTENTION]
    alone = PEERS["networks alone"].fit(CALLS, 0, tmp_path / "alone")[networks.ALONE]

    words = CALLS[0].transcript.split()
    held = {number for word in words for number in ngram_ids(word, SCHEME)}
    assert full.cost.parameters == alone.cost.parameters
    assert full.cost.flops(words) - alone.cost.flops(words) == 2 * len(held)
    silent = OnnxDetector.load(tmp_path / "alone", ModelVariant.FP32)
    assert not silent.session.run(["next_bag"], feed(*_fed(silent, words)))[0].any()


def _fed(detector: OnnxDetector, words: list[str]) -> tuple[NDArray[np.int32], NDArray[np.int32], State]:
    ids = encode_words(words, SCHEME)[np.newaxis]
    return ids, detector.silence.hear(ids)[1], detector.silence
