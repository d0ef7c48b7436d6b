from __future__ import annotations

import numpy as np
import pytest
import torch

from models.detector.heard_calls import HeardBatch, HeardCalls, weigh_sources
from models.domain.call import Call, Label

LENGTHS = np.array([3, 30, 12, 1, 60, 7, 25], dtype=np.int64)


def _calls(
    word_dropout: float = 0.0, most_words_skipped: int = 0, midst_share: float = 0.0, most_words: int = 1000
) -> HeardCalls:
    """Calls whose words are numbered from 100 times the call's label on."""
    places = np.arange(int(LENGTHS.max()))
    words = np.where(places < LENGTHS[:, np.newaxis], 100 * np.arange(1, 8)[:, np.newaxis] + places, 0)
    labels, weights = np.arange(1, 8, dtype=np.float32), np.ones(7, np.float32)
    variation = (most_words, word_dropout, np.full(7, midst_share, np.float32), most_words_skipped)
    return HeardCalls(words.astype(np.int32), LENGTHS, labels, weights, *variation, batch_calls=3)


def _rows(calls: HeardCalls, seed: int = 1) -> list[tuple[int, int, list[int]]]:
    batches: list[HeardBatch] = list(calls.batches(torch.Generator().manual_seed(seed)))
    return [
        (int(label), int(length), words.tolist())
        for batch in batches
        for label, length, words in zip(batch.labels, batch.lengths, batch.words, strict=True)
    ]


def test_every_call_is_heard_once_in_an_epoch() -> None:
    assert sorted(label for label, _, _ in _rows(_calls(most_words_skipped=20))) == [1, 2, 3, 4, 5, 6, 7]


def test_without_variation_calls_are_heard_as_they_are() -> None:
    for label, length, words in _rows(_calls()):
        assert length == LENGTHS[label - 1]
        assert words[:length] == [100 * label + place for place in range(length)]
        assert not any(words[length:])


def test_a_call_begins_at_most_a_third_into_it() -> None:
    for label, length, words in _rows(_calls(most_words_skipped=20)):
        first = words[0] - 100 * label
        assert 0 <= first <= min(LENGTHS[label - 1] // 3, 20)
        assert words[:length] == [100 * label + first + place for place in range(length)]
        assert length == LENGTHS[label - 1] - first


def test_a_stretch_from_the_midst_begins_anywhere_and_is_not_too_short() -> None:
    rows = [row for seed in range(60) for row in _rows(_calls(midst_share=1.0), seed)]
    begun = {words[0] - 100 * label for label, _, words in rows if label == 5}

    assert min(begun) <= 5
    assert 30 <= max(begun) <= 60 - 25
    assert all(length >= min(LENGTHS[label - 1], 25) for label, length, _ in rows)


def test_no_more_words_are_heard_than_asked_for() -> None:
    for label, length, words in _rows(_calls(most_words_skipped=20, midst_share=0.5, most_words=10)):
        assert length == min(LENGTHS[label - 1], 10) or length < 10
        assert len(words) <= 10
        assert words[:length] == list(range(words[0], words[0] + length))


def test_about_the_share_of_words_that_was_asked_for_is_unheard() -> None:
    calls = _calls(word_dropout=0.4)

    unheard = [word == 0 for _, length, words in _rows(calls) for word in words[:length]]

    assert 0.2 < np.mean(unheard) < 0.6


def test_every_source_and_label_weighs_the_same() -> None:
    calls = [Call(str(i), Label.NORMAL, text="네", source="a") for i in range(3)]
    calls += [Call("v", Label.VISHING, text="네", source="a")]

    weights = weigh_sources(calls)

    assert weights.tolist() == pytest.approx([2 / 3, 2 / 3, 2 / 3, 2.0])
