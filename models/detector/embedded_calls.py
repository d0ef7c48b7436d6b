"""Calls as the network reads them: embedded words, padded on the right.

N calls, T words of the longest, D dimensions, V distinct words.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.detector.embedding import NgramEmbedding
from models.detector.ngram_bag import NgramBag
from models.domain.call import Call
from models.text.window import words_until


@dataclass(frozen=True, slots=True)
class EmbeddedCalls:
    """Calls ready for the network. Sensitive like the calls themselves.

    Attributes:
        embedded: float32, (N, T, D); zero beyond a call's length.
        lengths: int64, (N,), in words; at least 1, for a call without words is one zero vector.
        labels: float32, (N,): 1 vishing, 0 normal.
    """

    embedded: NDArray[np.float32]
    lengths: NDArray[np.int64]
    labels: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class IndexedCalls:
    """Many calls in little memory: every distinct word is embedded once.

    Attributes:
        vectors: float32, (V + 1, D); row 0 is zero and stands for padding.
        indices: int32, (N, T): rows of ``vectors``.
        lengths: int64, (N,), in words; at least 1.
        labels: float32, (N,).
        bag: float64, (N,): what a bag of n-grams says of each call, added to the network's logit; 0 without one.
    """

    vectors: NDArray[np.float32]
    indices: NDArray[np.int32]
    lengths: NDArray[np.int64]
    labels: NDArray[np.float32]
    bag: NDArray[np.float64]

    @property
    def words(self) -> NDArray[np.int64]:
        """How many words of each call were heard, (N,); 0 for a call without words."""
        return np.asarray(np.count_nonzero(self.indices, axis=1))

    def rows(self, chosen: NDArray[np.bool_]) -> IndexedCalls:
        """Return the calls that are chosen (N,)."""
        return IndexedCalls(
            self.vectors, self.indices[chosen], self.lengths[chosen], self.labels[chosen], self.bag[chosen]
        )

    def embed(self) -> EmbeddedCalls:
        """Return the calls with every word's vector written out."""
        return EmbeddedCalls(self.vectors[self.indices], self.lengths, self.labels)


def index_calls(
    calls: Sequence[Call], seconds: float, embedding: NgramEmbedding, bag: NgramBag | None = None
) -> IndexedCalls:
    """Return the words spoken in the first ``seconds`` of each call, embedded, and judged by a bag if given."""
    known: dict[str, str] = {}  # equal words as one object: a large population's would take ten times the memory
    word_lists = [[known.setdefault(word, word) for word in words_until(call, seconds)] for call in calls]
    return index_words(word_lists, [call.label for call in calls], embedding, bag)


def index_words(
    word_lists: Sequence[Sequence[str]], labels: Sequence[int], embedding: NgramEmbedding, bag: NgramBag | None = None
) -> IndexedCalls:
    """Return calls given as word lists (N) and labels (N), embedded, and judged by a bag if given."""
    vocabulary, indices, lengths = number_words(word_lists)
    padding = np.zeros((1, embedding.dimensions), np.float32)
    vectors = np.concatenate([padding, embedding.embed_words(vocabulary)])
    said = np.zeros(len(word_lists)) if bag is None else bag.judge(word_lists, embedding.scheme)
    return IndexedCalls(vectors, indices, lengths, np.array(labels, dtype=np.float32), said)


def number_words(word_lists: Sequence[Sequence[str]]) -> tuple[list[str], NDArray[np.int32], NDArray[np.int64]]:
    """Return the distinct words, the calls as their numbers from 1 on (N, T), 0 for padding, and lengths (N,).

    A length is at least 1: a call without words is one word of padding.
    """
    numbers = {word: number for number, word in enumerate(dict.fromkeys(w for words in word_lists for w in words), 1)}
    lengths = np.array([max(len(words), 1) for words in word_lists], dtype=np.int64)
    indices = np.zeros((len(word_lists), int(lengths.max(initial=1))), dtype=np.int32)  # (N, T)
    for row, words in enumerate(word_lists):
        indices[row, : len(words)] = [numbers[word] for word in words]
    return list(numbers), indices, lengths


def embed_calls(calls: Sequence[Call], seconds: float, embedding: NgramEmbedding) -> EmbeddedCalls:
    """Return the words spoken in the first ``seconds`` of each call, ready for the network."""
    return index_calls(calls, seconds, embedding).embed()
