from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.text.empty_words import joins_sentences, meaningful_stem, stem_of


@pytest.mark.parametrize(
    ("word", "stem"),
    [
        ("검찰청에서는", "검찰청"),
        ("계좌를", "계좌"),
        ("돈을", "돈"),
        ("은행입니다", "은행"),
        ("나도", "나도"),
        ("도", "도"),
    ],
)
def test_the_longest_particle_is_taken_off_where_a_word_remains(word: str, stem: str) -> None:
    assert stem_of(word) == stem


@pytest.mark.parametrize("word", ["하지만", "하지만요", "그런데", "그니까"])
def test_conjunctive_adverbs_join(word: str) -> None:
    assert joins_sentences(word)
    assert meaningful_stem(word) is None


@pytest.mark.parametrize("word", ["그렇군요", "계좌", "요"])
def test_other_words_join_nothing(word: str) -> None:
    assert not joins_sentences(word)


@given(st.text(st.characters(min_codepoint=0xAC00, max_codepoint=0xD7A3), min_size=1, max_size=8))
def test_a_stem_begins_its_word(word: str) -> None:
    assert word.startswith(stem_of(word))
    assert meaningful_stem(word) in (None, stem_of(word))
