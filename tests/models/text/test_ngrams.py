from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.text.ngrams import PADDING, NgramScheme, encode_words, fasttext_hash, flat_ngram_ids, ngram_ids

any_word = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
schemes = st.builds(
    NgramScheme,
    buckets=st.integers(1, 50_000),
    shortest=st.integers(1, 3),
    longest=st.integers(3, 6),
    most_per_word=st.integers(1, 40),
)


def test_the_hash_is_fasttexts_with_its_signed_bytes() -> None:
    assert fasttext_hash("검찰".encode()) == 4_228_382_777
    assert fasttext_hash(b"a") == 0xE40C292C


@given(words=st.lists(any_word, max_size=12), scheme=schemes)
def test_all_words_at_once_have_the_ids_of_each_word_alone(words: list[str], scheme: NgramScheme) -> None:
    flat, counts = flat_ngram_ids(words, scheme)

    parts = np.split(flat, np.cumsum(counts)[:-1]) if words else []
    assert [tuple(part.tolist()) for part in parts] == [ngram_ids(word, scheme) for word in words]


@given(words=st.lists(any_word, min_size=1, max_size=8))
def test_encoded_words_are_padded_on_the_right(words: list[str]) -> None:
    scheme = NgramScheme()

    ids = encode_words(words, scheme)

    assert ids.dtype == np.int32
    for row, word in zip(ids, words, strict=True):
        own = ngram_ids(word, scheme)
        assert row.tolist() == [*own, *[PADDING] * (ids.shape[1] - len(own))]


def test_a_long_word_has_a_bounded_number_of_ngrams() -> None:
    assert encode_words(["가" * 10_000], NgramScheme(most_per_word=32)).shape == (1, 32)


@pytest.mark.parametrize("words", [[], ["네"]])
def test_few_words_have_a_row_each(words: list[str]) -> None:
    assert len(encode_words(words, NgramScheme())) == len(words)
