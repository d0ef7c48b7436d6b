from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models.detector.embedding import NgramEmbedding, quantise_rows
from models.errors import ModelFileError
from models.text.ngrams import NgramScheme, encode_words
from tests.models.detector.small import SCHEME, small_embedding

WORDS = ["검찰", "계좌를", "검찰", "네", "안녕하십니까"]


def test_a_word_is_the_mean_of_its_dequantised_ngrams() -> None:
    scheme = NgramScheme(buckets=3)
    rows = np.array([[0, 0], [127, 0], [0, -2], [5, 5]], dtype=np.int8)
    scales = np.array([1, 0.5, 2, 1], dtype=np.float16)
    embedding = NgramEmbedding(scheme, rows, scales)

    found = embedding.embed(np.array([[1, 2, 0], [3, 0, 0], [0, 0, 0]], dtype=np.int32))

    assert found.tolist() == [[31.75, -2.0], [5.0, 5.0], [0.0, 0.0]]


def test_embedding_words_equals_embedding_their_ids() -> None:
    embedding = small_embedding()

    np.testing.assert_allclose(
        embedding.embed_words(WORDS), embedding.embed(encode_words(WORDS, SCHEME)), rtol=0, atol=1e-6
    )


def test_no_words_give_no_vectors() -> None:
    assert small_embedding(dimensions=8).embed_words([]).shape == (0, 8)


def test_quantised_rows_are_within_half_a_step_of_the_vectors() -> None:
    vectors = np.random.default_rng(1).standard_normal((SCHEME.buckets + 1, 5)).astype(np.float32)
    vectors[0] = 0

    embedding = quantise_rows(SCHEME, vectors)

    steps = embedding.scales.astype(np.float32)[:, np.newaxis]
    clipped = np.abs(embedding.rows) == 127
    assert np.all((np.abs(embedding.table - vectors) <= 0.5001 * steps) | clipped)
    np.testing.assert_allclose(embedding.table, vectors, atol=0.04)


def test_what_is_saved_is_loaded_again(tmp_path: Path) -> None:
    embedding = small_embedding()
    embedding.save(tmp_path / "embedding.npz")

    loaded = NgramEmbedding.load(tmp_path / "embedding.npz")

    assert loaded.scheme == embedding.scheme
    assert np.array_equal(loaded.table, embedding.table)


@pytest.mark.parametrize("kept", [0, 10, 2000])
def test_a_truncated_file_is_refused(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "embedding.npz"
    small_embedding().save(path)
    path.write_bytes(path.read_bytes()[:kept])

    with pytest.raises(ModelFileError, match=r"embedding\.npz"):
        NgramEmbedding.load(path)


def test_a_table_of_another_size_is_refused() -> None:
    embedding = small_embedding()

    with pytest.raises(ModelFileError, match="rows"):
        NgramEmbedding(embedding.scheme, embedding.rows[:-1], embedding.scales[:-1])


def test_a_padding_row_that_is_not_zero_is_refused() -> None:
    embedding = small_embedding()
    rows = embedding.rows.copy()
    rows[0, 0] = 1

    with pytest.raises(ModelFileError, match="padding"):
        NgramEmbedding(embedding.scheme, rows, embedding.scales)
