from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from models.__main__ import main
from models.corpus.reader import write_calls
from models.detector.detector import TrainedDetector
from models.detector.fasttext_compression import compress_fasttext
from models.errors import WordVectorsFileError
from models.text.ngrams import NgramScheme
from tests.models.detector.fasttext_model import FastTextModel
from tests.models.detector.small import authored_calls

SYLLABLES = [chr(code) for code in range(0xAC00, 0xAC00 + 40 * 28, 28)]
WORDS = [first + second + third for first in SYLLABLES[:8] for second in SYLLABLES[8:16] for third in SYLLABLES[16:20]]
SCHEME = NgramScheme(buckets=6000)


def test_spoken_words_keep_their_place_among_one_another(tmp_path: Path) -> None:
    model = FastTextModel(WORDS[:20], shortest=2, longest=3)
    counts = dict.fromkeys(WORDS, 100)

    embedding, fidelity = compress_fasttext(model.write(tmp_path / "model.bin"), counts, SCHEME, 12, seed=0)

    found = embedding.embed_words(WORDS)
    expected = np.array([model.ngram_mean(word) for word in WORDS])
    alike, alike_there = (_cosines(vectors - vectors.mean(axis=0)) for vectors in (found, expected))
    assert fidelity.cosine > 0.98
    assert np.corrcoef(alike.ravel(), alike_there.ravel())[0, 1] > 0.98
    assert (fidelity.words, fidelity.covered) == (len(WORDS), 1.0)
    assert fidelity.explained == pytest.approx(1.0, abs=1e-4)


def _cosines(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    directions = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(directions @ directions.T)


def test_a_spoken_word_is_about_as_long_as_in_an_embedding_of_our_own(tmp_path: Path) -> None:
    path = FastTextModel(WORDS).write(tmp_path / "model.bin")
    embedding, _ = compress_fasttext(path, dict.fromkeys(WORDS, 3), SCHEME, 8, seed=0)
    lengths = np.linalg.norm(embedding.embed_words(WORDS), axis=1)
    assert np.sqrt((lengths**2).mean()) == pytest.approx(1.0, abs=0.1)


def test_fewer_dimensions_hold_less_of_the_variance_and_say_so(tmp_path: Path) -> None:
    path = FastTextModel(WORDS).write(tmp_path / "model.bin")
    few, more = (compress_fasttext(path, dict.fromkeys(WORDS, 1), SCHEME, size, seed=0)[1] for size in (3, 9))
    assert few.explained < more.explained < 1


def test_words_that_the_file_has_no_vector_for_lower_the_coverage(tmp_path: Path) -> None:
    path = FastTextModel(WORDS[:20], shortest=6, longest=6).write(tmp_path / "model.bin")
    _, fidelity = compress_fasttext(path, dict.fromkeys(WORDS[:40], 1), SCHEME, 4, seed=0)
    assert fidelity.covered == 0.5


@pytest.mark.parametrize(
    ("dimensions", "words", "reason"), [(13, WORDS, "has 12 dimensions"), (12, WORDS[:3], "too few")]
)
def test_more_dimensions_than_the_file_can_give_are_refused(
    tmp_path: Path, dimensions: int, words: list[str], reason: str
) -> None:
    path = FastTextModel([]).write(tmp_path / "model.bin")
    with pytest.raises(WordVectorsFileError, match=reason):
        compress_fasttext(path, dict.fromkeys(words, 1), SCHEME, dimensions, seed=0)


def test_train_takes_the_word_vectors_of_a_users_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    calls, model = tmp_path / "calls.jsonl", FastTextModel(WORDS).write(tmp_path / "cc.bin")
    write_calls(calls, authored_calls(40))
    train = ["train", "--calls", str(calls), "--out", str(tmp_path / "out"), "--dimensions", "8", "--buckets", "900"]

    assert main([*train, "--fasttext", str(model)]) == 0

    trained = TrainedDetector.load(tmp_path / "out")
    assert (trained.embedding.dimensions, trained.embedding.scheme.buckets) == (8, 900)
    assert trained.lineage["fasttext"]["file"] == "cc.bin"
    assert "cosine" in capsys.readouterr().err
    assert main([*train, "--fasttext", str(calls)]) == 3
    assert capsys.readouterr().err == f"error: {calls}: is not a fastText model of version 11 or 12\n"
