from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from models.detector import training
from models.detector.bag_training import fit_bag
from models.detector.calibration import calibrate
from models.detector.classifier import Classifier
from models.detector.detector import TrainedDetector
from models.detector.embedded_calls import embed_calls, index_calls
from models.detector.prefixes import prefix_logits, prefix_loss
from models.detector.rehearsal import Rehearsal
from models.detector.scoring import score_calls, score_embedded, score_indexed
from models.detector.training import EpochReport, TrainingSettings, count_epochs, train_detector
from models.domain.call import Call, Label
from models.errors import BadInputError
from models.text.ngrams import NgramScheme
from models.text.window import words_until
from tests.models.detector.small import authored_calls, small_detector, small_embedding

QUICK = TrainingSettings(dimensions=16, scheme=NgramScheme(buckets=2000), epochs=8, batch_calls=4)


@pytest.fixture(scope="module")
def trained() -> TrainedDetector:
    return train_detector(authored_calls(60), QUICK)


def test_what_gives_the_label_away_is_learned(trained: TrainedDetector) -> None:
    calls = authored_calls(60)
    labels = np.array([call.label for call in calls])

    logits = score_calls(trained, calls, 30)

    assert logits[labels == 1].min() > logits[labels == 0].max()


def test_equal_seeds_give_equal_detectors_and_others_do_not(trained: TrainedDetector) -> None:
    torch.manual_seed(99)
    again = train_detector(authored_calls(60), QUICK)
    other = train_detector(authored_calls(60), replace(QUICK, seed=1))

    assert all(np.array_equal(again.parameters[name], array) for name, array in trained.parameters.items())
    assert np.array_equal(again.embedding.rows, trained.embedding.rows)
    assert np.array_equal(again.bag.table, trained.bag.table)
    assert again.card == trained.card
    assert not np.array_equal(other.parameters["lstm.weight_hh_l0"], trained.parameters["lstm.weight_hh_l0"])


def test_bag_and_calibration_are_what_the_rehearsals_say(monkeypatch: pytest.MonkeyPatch) -> None:
    rehearsals = []

    def listen(rehearsed: Sequence[tuple[TrainedDetector, Sequence[Call]]]) -> Rehearsal:
        rehearsals.append(Rehearsal.of(rehearsed))
        return rehearsals[-1]

    monkeypatch.setattr(training, "Rehearsal", SimpleNamespace(of=listen))
    calls = authored_calls(60)
    trained = train_detector(calls, QUICK)

    (said,) = rehearsals
    assert said.bag_scale != pytest.approx(1, rel=0.05)
    assert (trained.calibration, trained.thresholds) == calibrate(said.logits, said.words, said.labels, said.weights)
    np.testing.assert_array_equal(trained.bag.table, fit_bag(calls, QUICK.scheme).scaled(said.bag_scale).table)


def test_few_steps_are_rehearsed_at_full_pace_too() -> None:
    trained = train_detector(authored_calls(60), replace(QUICK, batch_calls=8, epochs=6))  # of 24 steps a half

    assert max(trained.calibration.early_slope, trained.calibration.late_slope) < 10
    assert np.abs(trained.bag.judge([["검찰에서"], ["점심을"]], QUICK.scheme)).min() > 0.5


def test_progress_is_told_after_every_epoch() -> None:
    reports: list[EpochReport] = []

    train_detector(authored_calls(40), QUICK, reports.append)

    assert [report.epoch for report in reports] == list(range(1, count_epochs(QUICK, 40) + 1))
    assert {report.epochs for report in reports} == {len(reports)}
    assert all(np.isfinite(report.loss) for report in reports)


def test_a_given_embedding_is_left_as_it_is(trained: TrainedDetector) -> None:
    kept = train_detector(authored_calls(40), QUICK, embedding=trained.embedding)

    assert np.array_equal(kept.embedding.rows, trained.embedding.rows)


def test_the_bag_reads_the_ngrams_of_a_given_embedding() -> None:
    embedding = small_embedding(QUICK.dimensions)
    assert embedding.scheme != QUICK.scheme

    trained = train_detector(authored_calls(40), replace(QUICK, epochs=1), embedding=embedding)

    assert len(trained.bag.table) == embedding.scheme.buckets + 1
    assert trained.build_network()


def test_calls_of_one_label_are_refused() -> None:
    with pytest.raises(BadInputError):
        train_detector([call for call in authored_calls(30) if call.label is Label.NORMAL], QUICK)


def test_the_logit_after_each_word_is_that_of_the_call_cut_there() -> None:
    torch.manual_seed(0)
    network = Classifier(5).eval()
    embedded = torch.randn(2, 7, 5)
    hidden, _ = network.lstm(embedded)

    found = prefix_logits(network, hidden)

    for words in range(1, 8):
        cut, _ = network(embedded[:, :words], torch.tensor([words, words]))
        torch.testing.assert_close(found[:, words - 1], cut)


def test_a_beginning_of_t_words_weighs_one_over_t() -> None:
    logits = torch.zeros(1, 10)
    logits[0, 8] = 2.0
    labels, lengths, weights = torch.ones(1), torch.tensor([10]), torch.ones(1)

    found = prefix_loss(logits, labels, lengths, weights)

    even, told = np.log(2), np.log1p(np.exp(-2))
    expected = (even / 8 + told / 9 + even / 10) / (1 / 8 + 1 / 9 + 1 / 10)
    assert float(found) == pytest.approx(expected, rel=1e-5)


def test_batches_of_indexed_calls_score_like_embedded_ones() -> None:
    trained, calls = small_detector(), authored_calls(20)

    one_batch = score_embedded(trained.build_network(), embed_calls(calls, 30, trained.embedding))
    bag = trained.bag.judge([words_until(call, 30) for call in calls], trained.embedding.scheme)

    np.testing.assert_allclose(score_calls(trained, calls, 30), one_batch + bag, atol=1e-5)


def test_calls_that_are_indexed_once_are_judged_alike_again_and_again() -> None:
    trained = small_detector()
    indexed = index_calls(authored_calls(6), 30, trained.embedding, trained.bag)

    once, again = (score_indexed(trained.build_network(), indexed).tolist() for _ in range(2))

    assert again == once


def test_a_call_without_words_in_the_window_is_one_zero_vector() -> None:
    embedded = embed_calls([Call("a", Label.NORMAL, text="")], 30, small_detector().embedding)

    assert embedded.lengths.tolist() == [1]
    assert not embedded.embedded.any()
