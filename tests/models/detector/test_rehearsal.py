from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from models.detector.heard_calls import weigh_sources
from models.detector.rehearsal import Rehearsal, halve_calls
from models.detector.scoring import score_calls
from models.domain.call import Call, Label
from models.text.window import WINDOWS, words_until
from tests.models.detector.small import authored_calls, small_detector


def test_no_near_duplicate_is_in_both_halves_of_a_rehearsal() -> None:
    texts = [f"{number}번 고객님 {number * 7}호 서류를 {number * 13}일까지 보내 주세요" for number in range(20)]
    calls = [
        Call(f"{copy}{at}", Label(at % 2), text=text, source="a") for at, text in enumerate(texts) for copy in "xy"
    ]

    halves = halve_calls(calls, seed=0)

    ids = [{call.id[1:] for call in half} for half in halves]
    assert not ids[0] & ids[1]
    assert {call.label for call in halves[0]} == {call.label for call in halves[1]} == set(Label)


def test_each_half_is_judged_by_the_detector_that_stands_beside_it() -> None:
    calls, first, second = authored_calls(10), small_detector(seed=0), small_detector(seed=1)
    calls[0] = replace(calls[0], source="another")

    rehearsal = Rehearsal.of([(first, calls[:4]), (second, calls[4:])])

    both = rehearsal.network + rehearsal.bag
    for row, words, seconds in zip(both, rehearsal.words, WINDOWS, strict=True):
        np.testing.assert_allclose(row[:4], score_calls(first, calls[:4], seconds), atol=1e-6)
        np.testing.assert_allclose(row[4:], score_calls(second, calls[4:], seconds), atol=1e-6)
        assert words.tolist() == [len(words_until(call, seconds)) for call in calls]
    assert rehearsal.labels.tolist() == [float(call.label) for call in calls]
    assert rehearsal.weights.tolist() == weigh_sources(calls).tolist()


def rehearsal_of(network: NDArray[np.float64], bag: NDArray[np.float64], labels: NDArray[np.float64]) -> Rehearsal:
    """Return a rehearsal in which the same was said at every window."""
    everywhere = (np.tile(each, (len(WINDOWS), 1)) for each in (network, bag, np.full(len(labels), 100)))
    return Rehearsal(*everywhere, labels, np.ones(len(labels), np.float32))


def test_the_loss_is_the_cross_entropy_of_the_logits() -> None:
    even = rehearsal_of(np.zeros(4), np.zeros(4), np.array([0.0, 1.0, 0.0, 1.0]))

    assert even.loss == pytest.approx(np.log(2))


def test_what_the_bag_counts_doesnt_depend_on_the_scale_of_its_logits() -> None:
    rng = np.random.default_rng(0)
    labels = np.tile([0.0, 1.0], 200)
    network, bag = 2 * labels - 1 + rng.standard_normal((2, 400))

    level = rehearsal_of(network, bag, labels)
    loud = rehearsal_of(network, 20 * bag, labels)

    assert level.bag_scale == pytest.approx(1, rel=0.3)
    np.testing.assert_allclose(level.logits[0], network + level.bag_scale * bag)
    np.testing.assert_allclose(loud.logits, level.logits, rtol=0.02, atol=0.02)


def test_a_bag_that_tells_nothing_counts_next_to_nothing() -> None:
    rng = np.random.default_rng(1)
    labels = np.tile([0.0, 1.0], 200)
    network = 4 * (2 * labels - 1) + rng.standard_normal(400)

    assert rehearsal_of(network, rng.standard_normal(400), labels).bag_scale < 0.2


def test_a_silent_bag_changes_no_logit() -> None:
    network = np.array([-1.0, 1.0, -2.0, 2.0])

    rehearsal = rehearsal_of(network, np.zeros(4), np.array([0.0, 1.0, 0.0, 1.0]))

    np.testing.assert_array_equal(rehearsal.logits[0], network)
