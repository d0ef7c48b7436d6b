from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import BadInputError
from models.text.vocabulary import FEWEST_CALLS, Vocabulary

WORDS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8)


@given(st.sets(WORDS, min_size=1, max_size=40))
def test_every_word_of_enough_calls_is_known_also_after_being_written_down(words: set[str]) -> None:
    vocabulary = Vocabulary.of_calls([words] * FEWEST_CALLS)
    assert vocabulary is not None
    assert all(vocabulary.knows(word) for word in words)
    assert Vocabulary.from_text(vocabulary.to_text()) == vocabulary
    assert vocabulary.unknown_share(sorted(words)) == 0


def test_of_many_unknown_words_few_pass_for_known() -> None:
    vocabulary = Vocabulary.of_calls([[f"낱말{number}" for number in range(2000)]] * FEWEST_CALLS)
    assert vocabulary is not None
    # 10 bits a word and 7 hashes: (1 - e^-0.7)^7 = .82 %; 82 of 10,000, standard deviation 9
    taken = sum(vocabulary.knows(f"다른말{number}") for number in range(10_000))
    assert 45 < taken < 120


def test_a_word_of_a_single_call_is_not_told_however_often_it_was_said() -> None:
    calls = [["여보세요"]] * FEWEST_CALLS + [["김가람"] * 50]
    vocabulary = Vocabulary.of_calls(calls)
    assert vocabulary is not None
    assert vocabulary.knows("여보세요")
    assert vocabulary == Vocabulary.of_calls(calls[:-1])
    assert Vocabulary.of_calls(calls[: FEWEST_CALLS - 1]) is None


def test_the_share_counts_a_word_as_often_as_it_was_said() -> None:
    vocabulary = Vocabulary.of_calls([[f"낱말{number}" for number in range(100)]] * FEWEST_CALLS)
    assert vocabulary is not None
    unknown = next(f"다른말{number}" for number in range(100) if not vocabulary.knows(f"다른말{number}"))
    assert vocabulary.unknown_share(["낱말1", "낱말1", unknown, "낱말2"]) == 0.25
    assert vocabulary.unknown_share([]) == 0


@pytest.mark.parametrize("text", ["", "가", "x", "AA==" * 400_000])
def test_a_damaged_vocabulary_is_refused(text: str) -> None:
    with pytest.raises(BadInputError):
        Vocabulary.from_text(text)
