"""Training the frozen embedding on the words of a corpus: n-grams get the meaning of the words they stand in.

Words that keep the same company get similar vectors (positive pointwise mutual information, factored: Levy and
Goldberg, "Neural Word Embedding as Implicit Matrix Factorization", 2014); the n-grams' vectors are then fitted so
that their mean gives the word's. V words, B buckets, D dimensions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.utils.extmath import randomized_svd

from models.detector.embedding import NgramEmbedding, quantise_rows
from models.errors import BadInputError
from models.text.ngrams import NgramScheme, flat_ngram_ids

_WINDOW = 5
"""Words to each side that count as a word's company; nearer ones count more."""

_MOST_WORDS = 40_000
_MOST_CONTEXTS = 8_000
"""The most frequent words that vectors are fitted to, and that count as company; bound time and memory."""

_WORD_LENGTH = 1.0
"""Length of a spoken word's vector, root mean square: short, so that tuning soon outweighs the start."""

_UNKNOWN_LENGTH = 0.5
"""Of the vectors of n-grams that the corpus lacks, in lengths of a typical one."""

_STEPS = 30
_RIDGE = 0.1
_TINY = 1e-12


def train_embedding(
    word_lists: Sequence[Sequence[str]], scheme: NgramScheme, dimensions: int, seed: int
) -> NgramEmbedding:
    """Return an embedding trained on calls given as word lists.

    Args:
        word_lists: Words (어절) of each call.
        scheme: How words become ids.
        dimensions: D.
        seed: Of the factorisation, and of the vectors of n-grams that the corpus lacks.

    Raises:
        BadInputError: The calls hold no two words next to each other.
    """
    counts = Counter(word for words in word_lists for word in words)
    vocabulary = [word for word, _ in counts.most_common(_MOST_WORDS)]
    company = _count_company(word_lists, vocabulary)
    if company.nnz == 0:
        raise BadInputError("the calls hold too few words to train an embedding on")
    vectors = _factor(_positive_information(company), dimensions, seed)  # (V, D)
    table = _fit_ngrams({word: counts[word] for word in vocabulary}, vectors, scheme, seed)  # (B + 1, D)
    return quantise_rows(scheme, table)


def _count_company(word_lists: Sequence[Sequence[str]], vocabulary: Sequence[str]) -> sparse.csr_array:
    """Return how often words (V) stand near frequent words (contexts), weighted by nearness."""
    places = {word: place for place, word in enumerate(vocabulary)}
    gap = [-1] * _WINDOW
    stream = np.array(
        [place for words in word_lists for place in (*(places.get(w, -1) for w in words), *gap)], dtype=np.int32
    )
    contexts = min(len(vocabulary), _MOST_CONTEXTS)
    total = sparse.csr_array((len(vocabulary), contexts), dtype=np.float32)
    for distance in range(1, _WINDOW + 1):
        left, right = stream[:-distance], stream[distance:]
        for words, company in ((left, right), (right, left)):
            kept = (words >= 0) & (company >= 0) & (company < contexts)
            weights = np.full(int(kept.sum()), 1.0 / distance, dtype=np.float32)
            total = total + sparse.csr_array((weights, (words[kept], company[kept])), shape=total.shape)
    return total


def _positive_information(company: sparse.csr_array) -> sparse.csr_array:
    """Return the positive pointwise mutual information; contexts are smoothed (exponent 0.75) against rare ones."""
    counts = company.tocoo()
    of_word = company.sum(axis=1)
    of_context = company.sum(axis=0) ** 0.75
    expected = of_word[counts.row] * of_context[counts.col] / of_context.sum()
    information = np.maximum(np.log(np.maximum(counts.data / expected, 1e-12)), 0).astype(np.float32)
    return sparse.csr_array((information, (counts.row, counts.col)), shape=company.shape)


def _factor(information: sparse.csr_array, dimensions: int, seed: int) -> NDArray[np.float32]:
    """Return word vectors (V, D) of length 1: left singular vectors, every direction weighing the same."""
    wanted = min(dimensions, min(information.shape) - 1)
    left, _, _ = randomized_svd(information, max(wanted, 1), n_iter=3, random_state=seed)
    vectors = np.zeros((information.shape[0], dimensions), dtype=np.float32)
    vectors[:, : left.shape[1]] = left / np.maximum(np.linalg.norm(left, axis=1, keepdims=True), _TINY)
    return vectors


def _fit_ngrams(
    counts: Mapping[str, int], vectors: NDArray[np.float32], scheme: NgramScheme, seed: int
) -> NDArray[np.float32]:
    """Return n-gram vectors (B + 1, D) whose mean over a word's n-grams is near the word's vector (least squares).

    A word weighs the square root of its count, so that neither the rarest nor the commonest decide.
    """
    flat, sizes = flat_ngram_ids(list(counts), scheme)
    uses = np.array(list(counts.values()), dtype=np.float32)
    weights = uses**0.25  # squared by least squares
    shape = (len(counts), scheme.buckets + 1)
    rows = np.repeat(np.arange(len(counts)), sizes)
    mean = sparse.csr_array((np.repeat(weights / sizes, sizes).astype(np.float32), (rows, flat)), shape=shape)
    table = _least_squares(mean, vectors * weights[:, np.newaxis])
    lengths = np.linalg.norm(mean @ table, axis=1) / weights
    table *= _WORD_LENGTH / max(float(np.sqrt(np.average(lengths**2, weights=uses))), _TINY)
    return _fill_unknown(table, seed)


def _least_squares(operator: sparse.csr_array, targets: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return ridge regression by conjugate gradients on the normal equations, every column by itself."""
    transposed = sparse.csr_array(operator.T)
    solution = np.zeros((operator.shape[1], targets.shape[1]), dtype=np.float32)
    residual = transposed @ targets
    direction = residual.copy()
    size = (residual**2).sum(axis=0)
    for _ in range(_STEPS):
        product = transposed @ (operator @ direction) + _RIDGE * direction
        step = size / np.maximum((direction * product).sum(axis=0), _TINY)
        solution += step * direction
        residual -= step * product
        size, before = (residual**2).sum(axis=0), size
        direction = residual + (size / np.maximum(before, _TINY)) * direction
    return solution


def _fill_unknown(table: NDArray[np.float32], seed: int) -> NDArray[np.float32]:
    """Give n-grams that the corpus lacks a short random vector, so that unknown words differ."""
    lengths = np.linalg.norm(table, axis=1)
    unknown = lengths == 0
    noise = np.random.default_rng(seed).standard_normal((int(unknown.sum()), table.shape[1]))
    table[unknown] = noise * (_UNKNOWN_LENGTH * np.median(lengths[~unknown]) / np.sqrt(table.shape[1]))
    return table
