from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.detector.fasttext_file import FastTextFile
from models.errors import WordVectorsFileError
from tests.models.detector.fasttext_model import SUPERVISED, FastTextModel

WORDS = ["검찰", "계좌", "안전계좌로", "네", "hello", "대출"]
any_word = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(words=st.lists(any_word, min_size=1, max_size=6), shortest=st.integers(1, 3), more=st.integers(0, 3))
def test_a_word_is_the_mean_of_its_ngrams_in_the_file(
    tmp_path: Path, words: list[str], shortest: int, more: int
) -> None:
    model = FastTextModel(WORDS, shortest=shortest, longest=shortest + more)
    file = FastTextFile.open(model.write(tmp_path / "model.bin"))

    vectors, known = file.word_vectors(words)

    assert known.all()
    np.testing.assert_allclose(vectors, [model.ngram_mean(word) for word in words], atol=1e-6)


def test_the_row_of_a_word_known_to_the_file_is_left_out(tmp_path: Path) -> None:
    model = FastTextModel(WORDS)
    file = FastTextFile.open(model.write(tmp_path / "model.bin"), WORDS)
    np.testing.assert_allclose(file.word_vectors(["검찰"])[0][0], model.ngram_mean("검찰"), atol=1e-6)


def test_a_word_too_short_for_the_files_ngrams_is_its_own_row_or_unknown(tmp_path: Path) -> None:
    model = FastTextModel(WORDS, shortest=5, longest=5)
    file = FastTextFile.open(model.write(tmp_path / "model.bin"), ["네", "예"])

    vectors, known = file.word_vectors(["네", "예", "안전계좌로"])

    assert known.tolist() == [True, False, True]
    np.testing.assert_array_equal(vectors[0], model.rows[WORDS.index("네")])
    np.testing.assert_allclose(vectors[2], model.ngram_mean("안전계좌로"), atol=1e-6)


def test_the_dictionarys_most_frequent_words_are_given_in_order(tmp_path: Path) -> None:
    file = FastTextFile.open(FastTextModel(WORDS).write(tmp_path / "model.bin"), frequent=3)
    assert file.frequent_words == tuple(WORDS[:3])


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (FastTextModel(WORDS, magic=1), "is not a fastText model"),
        (FastTextModel(WORDS, version=13), "is not a fastText model"),
        (FastTextModel(WORDS, kind=SUPERVISED), "supervised"),
        (FastTextModel(WORDS, quantised=True), "quantised"),
        (FastTextModel(WORDS, pruned=7), "quantised"),
        (FastTextModel(WORDS, shortest=0, longest=0), "no character n-grams"),
        (FastTextModel(WORDS, shortest=4, longest=3), "sizes that no model"),
    ],
)
def test_a_file_of_another_kind_is_refused_with_the_reason(tmp_path: Path, model: FastTextModel, reason: str) -> None:
    path = model.write(tmp_path / "model.bin")
    with pytest.raises(WordVectorsFileError, match=reason) as refused:
        FastTextFile.open(path)
    assert str(refused.value).startswith(str(path))


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(share=st.floats(0, 1, exclude_max=True))
def test_a_file_cut_anywhere_is_refused(tmp_path: Path, share: float) -> None:
    whole = FastTextModel(WORDS).write(tmp_path / "whole.bin").read_bytes()
    cut = tmp_path / "cut.bin"
    cut.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(WordVectorsFileError):
        FastTextFile.open(cut)


def test_a_matrix_of_another_size_than_the_header_says_is_refused(tmp_path: Path) -> None:
    model = FastTextModel(WORDS)
    model.rows = model.rows[:-1]
    with pytest.raises(WordVectorsFileError, match="another size"):
        FastTextFile.open(model.write(tmp_path / "model.bin"))


def test_numbers_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    model = FastTextModel(WORDS)
    model.rows[:] = np.nan
    with pytest.raises(WordVectorsFileError, match="not finite"):
        FastTextFile.open(model.write(tmp_path / "model.bin")).word_vectors(["검찰"])


@pytest.mark.parametrize("path", ["absent.bin", "."])
def test_what_cannot_be_read_is_refused(tmp_path: Path, path: str) -> None:
    with pytest.raises(WordVectorsFileError, match="can't be read"):
        FastTextFile.open(tmp_path / path)
