from __future__ import annotations

import numpy as np
import torch

from models.detector.heard_calls import HeardBatch, HeardCalls

LENGTHS = np.array([3, 30, 12, 1, 60, 7, 25], dtype=np.int64)


def _calls(word_dropout: float, most_words_skipped: int) -> HeardCalls:
    """Calls whose words are numbered from 100 times the call's label on."""
    places = np.arange(int(LENGTHS.max()))
    words = np.where(places < LENGTHS[:, np.newaxis], 100 * np.arange(1, 8)[:, np.newaxis] + places, 0)
    labels, weights = np.arange(1, 8, dtype=np.float32), np.ones(7, np.float32)
    return HeardCalls(words.astype(np.int32), LENGTHS, labels, weights, word_dropout, most_words_skipped, batch_calls=3)


def _rows(calls: HeardCalls) -> list[tuple[int, int, list[int]]]:
    batches: list[HeardBatch] = list(calls.batches(torch.Generator().manual_seed(1)))
    return [
        (int(label), int(length), words.tolist())
        for batch in batches
        for label, length, words in zip(batch.labels, batch.lengths, batch.words, strict=True)
    ]


def test_every_call_is_heard_once_in_an_epoch() -> None:
    assert sorted(label for label, _, _ in _rows(_calls(0.0, 20))) == [1, 2, 3, 4, 5, 6, 7]


def test_without_variation_calls_are_heard_as_they_are() -> None:
    for label, length, words in _rows(_calls(0.0, 0)):
        assert length == LENGTHS[label - 1]
        assert words[:length] == [100 * label + place for place in range(length)]
        assert not any(words[length:])


def test_a_call_begins_at_most_a_third_into_it() -> None:
    for label, length, words in _rows(_calls(0.0, 20)):
        first = words[0] - 100 * label
        assert 0 <= first <= min(LENGTHS[label - 1] // 3, 20)
        assert words[:length] == [100 * label + first + place for place in range(length)]
        assert length == LENGTHS[label - 1] - first


def test_about_the_share_of_words_that_was_asked_for_is_unheard() -> None:
    calls = _calls(0.4, 0)

    unheard = [word == 0 for _, length, words in _rows(calls) for word in words[:length]]

    assert 0.2 < np.mean(unheard) < 0.6
