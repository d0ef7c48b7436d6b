"""Recognition errors come at the rate that is set, and nothing that was an answer is left out."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.corpus.recogniser import cut_ends, leave_out_hesitations, misrecognise

WORDS = ["여보세요", "저희가", "통장을", "확인하고", "있는데요", "그러니까", "말씀해", "주시겠습니까"] * 250


def test_a_rate_of_nothing_changes_nothing() -> None:
    assert misrecognise(WORDS, 0.0, random.Random(1)) == WORDS


@pytest.mark.parametrize("rate", [0.05, 0.2])
def test_the_share_of_words_that_are_touched_is_the_rate(rate: float) -> None:
    heard = misrecognise([f"{word}{number}" for number, word in enumerate(WORDS)], rate, random.Random(1))
    untouched = len({f"{word}{number}" for number, word in enumerate(WORDS)} & set(heard))
    # A word that is joined to the one before spoils both, so up to 1.25 times the rate is lost.
    assert rate * 0.8 < 1 - untouched / len(WORDS) < rate * 1.5


@given(st.lists(st.text("가나다라마을는요습니다", min_size=1, max_size=5), min_size=1, max_size=8), st.integers())
def test_every_heard_word_is_a_word(words: list[str], seed: int) -> None:
    heard = misrecognise(words, 1.0, random.Random(seed))
    assert all(word and not word.isspace() for word in heard)


def test_words_are_joined_cut_lost_and_changed() -> None:
    seen = {" ".join(misrecognise(["통장을", "보여"], 0.6, random.Random(seed))) for seed in range(400)}
    assert {"통장을보여", "통장을 보 여", "보여", "통장 보여"} <= seen


def test_words_are_taken_for_others_that_sound_alike_and_endings_for_wrong_ones() -> None:
    seen = {misrecognise(["결제는"], 1.0, random.Random(seed))[0] for seed in range(300)}
    assert {"결재는", "결제"} <= seen
    seen = {misrecognise(["됩니다"], 1.0, random.Random(seed))[0] for seed in range(300)}
    assert "댑니다" in seen


def test_the_ends_that_are_cut_never_take_the_whole_call() -> None:
    for length in range(1, 40):
        for seed in range(20):
            first, last = cut_ends(["네"] * length, random.Random(seed), longest=15)
            assert 0 <= first <= 15
            assert 0 <= last <= 15
            assert first + last < length


def test_sounds_of_hesitation_are_left_out_and_answers_of_one_sound_are_kept() -> None:
    assert leave_out_hesitations(["어", "통장을", "음", "아", "만들었어요"]) == ["통장을", "만들었어요"]
    assert leave_out_hesitations(["어", "어"]) == ["어", "어"]
    assert leave_out_hesitations([]) == []
