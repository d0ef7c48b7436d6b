"""A user's fastText model, compressed into the embedding that ships: fewer dimensions, fewer buckets, INT8.

The vectors of words, as the file gives them, are cut to their principal components; n-gram vectors of our own scheme
are then fitted so that their mean gives the word's, as in `embedding_training`. The file's n-grams may thus have other
lengths and buckets than ours. Same aim, by choosing rows instead of fitting: Dale, "compress-fasttext" (2021).

V words, D dimensions.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA

from models.detector.embedding import NgramEmbedding, quantise_rows
from models.detector.embedding_training import _fit_ngrams
from models.detector.fasttext_file import FastTextFile
from models.errors import WordVectorsFileError
from models.text.ngrams import NgramScheme

_FREQUENT_WORDS = 40_000
"""Of the file's own words, fitted beside the corpus's, so that words yet unheard are near where they belong."""

_UNHEARD_USES = 1
"""What such a word counts for: as much as one that the corpus speaks once."""

_WORD = re.compile(r"[0-9A-Za-z가-힣]+")
_TINY = 1e-12


@dataclass(frozen=True, slots=True)
class Fidelity:
    """How much of the file's vectors is left.

    Attributes:
        words: Distinct words of the corpus.
        covered: Share of spoken words that the file has a vector for.
        explained: Share of the vectors' variance that the kept dimensions hold.
        cosine: Between a spoken word's vector as it ships and in the file, cut to the kept dimensions; in the mean.
    """

    words: int
    covered: float
    explained: float
    cosine: float


def compress_fasttext(
    path: Path, counts: Mapping[str, int], scheme: NgramScheme, dimensions: int, seed: int
) -> tuple[NgramEmbedding, Fidelity]:
    """Return the embedding that is nearest to a fastText model on the words of a corpus, and how near it is.

    Args:
        path: The ``.bin`` file; it is mapped, not loaded.
        counts: Words (어절) of the corpus and how often they are spoken.
        scheme: How words become ids in what ships.
        dimensions: D, at most the file's.
        seed: Of the principal components.

    Raises:
        WordVectorsFileError: The file can't be used, has fewer dimensions, or knows too few words.
    """
    file = FastTextFile.open(path, counts, _FREQUENT_WORDS)
    if dimensions > file.rows.shape[1]:
        raise WordVectorsFileError(path, f"has {file.rows.shape[1]} dimensions, fewer than {dimensions}")
    unheard = [word for word in file.frequent_words if _WORD.fullmatch(word) and word not in counts]
    uses = {**counts, **dict.fromkeys(unheard, _UNHEARD_USES)}
    vectors, known = file.word_vectors(list(uses))
    words = [word for word, is_known in zip(uses, known, strict=True) if is_known]
    if len(words) <= dimensions:
        raise WordVectorsFileError(path, f"knows {len(words)} words of the calls, too few for {dimensions} dimensions")
    kept, explained = _principal_components(vectors[known], dimensions, seed)
    table = _fit_ngrams({word: uses[word] for word in words}, kept, scheme, seed)
    embedding = quantise_rows(scheme, table)
    spoken = np.array([counts.get(word, 0) for word in words])
    cosine = _mean_cosine(embedding.embed_words(words), kept, spoken)
    return embedding, Fidelity(len(counts), float(spoken.sum() / sum(counts.values())), explained, cosine)


def _principal_components(
    vectors: NDArray[np.float32], dimensions: int, seed: int
) -> tuple[NDArray[np.float32], float]:
    """Return vectors (V, D) along the directions in which they differ most, and the share of variance these hold."""
    analysis = PCA(dimensions, svd_solver="randomized", random_state=seed)
    kept = analysis.fit_transform(vectors)
    return kept.astype(np.float32), float(analysis.explained_variance_ratio_.sum())


def _mean_cosine(found: NDArray[np.float32], expected: NDArray[np.float32], weights: NDArray[np.int64]) -> float:
    lengths = np.linalg.norm(found, axis=1) * np.linalg.norm(expected, axis=1)
    cosines = (found * expected).sum(axis=1) / np.maximum(lengths, _TINY)
    return float(np.average(cosines, weights=weights)) if weights.any() else 0.0
