"""Character n-grams of a word, hashed into buckets as fastText does.

Source: Bojanowski et al., "Enriching Word Vectors with Subword Information" (2017), and fastText's dictionary.cc.
Unlike fastText, a word has no row of its own: any word, known or not, is the mean of its n-grams.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_FNV_OFFSET, _FNV_PRIME, _MASK = 2166136261, 16777619, 0xFFFFFFFF

_LAST_CONTINUATION = -65
"""0xBF as a signed byte: in UTF-8 all that is above it begins a character."""

PADDING = 0
"""Id of no n-gram; row 0 of every embedding table is zero."""


@dataclass(frozen=True, slots=True)
class NgramScheme:
    """How words become ids. Part of every release: another scheme needs another embedding.

    Attributes:
        buckets: Hash buckets; ids run from 1 to ``buckets``.
        shortest: Characters of the shortest n-gram, word boundaries counted.
        longest: Characters of the longest n-gram.
        most_per_word: N-grams kept of a word, shortest starts first; bounds the work that one long word can cause.
    """

    buckets: int = 20_000
    shortest: int = 2
    longest: int = 4
    most_per_word: int = 32


def fasttext_hash(ngram: bytes) -> int:
    """Return fastText's FNV-1a of UTF-8 bytes, as an unsigned 32-bit number.

    fastText sign-extends each byte before the exclusive or, which changes the hash of every Hangul n-gram.
    """
    value = _FNV_OFFSET
    for byte in ngram:
        extended = byte | 0xFFFFFF00 if byte > 0x7F else byte
        value = ((value ^ extended) * _FNV_PRIME) & _MASK
    return value


def ngram_ids(word: str, scheme: NgramScheme) -> tuple[int, ...]:
    """Return the ids (1 to ``scheme.buckets``) of a word's n-grams, at most ``scheme.most_per_word``."""
    marked = f"<{word}>"
    ids: list[int] = []
    for start in range(len(marked)):
        for end in range(start + scheme.shortest, min(start + scheme.longest, len(marked)) + 1):
            if len(ids) == scheme.most_per_word:
                return tuple(ids)
            ids.append(fasttext_hash(marked[start:end].encode()) % scheme.buckets + 1)
    return tuple(ids)


def encode_words(words: Sequence[str], scheme: NgramScheme) -> NDArray[np.int32]:
    """Return ids of shape (T, M): T words, M the most n-grams of any of them, padded with ``PADDING``."""
    flat, counts = flat_ngram_ids(words, scheme)
    ids = np.full((len(words), max(int(counts.max(initial=1)), 1)), PADDING, dtype=np.int32)  # (T, M)
    ids[np.arange(ids.shape[1]) < counts[:, np.newaxis]] = flat
    return ids


def flat_ngram_ids(words: Sequence[str], scheme: NgramScheme) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Return the ids of all words in one row, and how many each word has (T,): `ngram_ids`, for all words at once.

    S characters of all words. The hash of an n-gram is one of those from its first byte on.
    """
    if not words:
        return np.zeros(0, np.int32), np.zeros(0, np.int64)
    marked = [f"<{word}>"[: _characters_that_count(scheme)] for word in words]
    lengths = np.array([len(word) for word in marked])
    first = np.cumsum(lengths) - lengths
    room = np.repeat(first + lengths, lengths) - np.arange(lengths.sum())  # (S,), characters left in the word
    all_sizes = scheme.longest - scheme.shortest + 1
    begun = np.minimum(np.maximum(room - scheme.shortest + 1, 0), all_sizes)  # (S,), n-grams that begin there
    starts = np.repeat(np.arange(len(begun)), begun)
    sizes = np.arange(len(starts)) - np.repeat(np.cumsum(begun) - begun, begun) + scheme.shortest
    hashes = _hash_ngrams("".join(marked).encode(), starts, starts + sizes)
    ids = (hashes % np.uint32(scheme.buckets)).astype(np.int32) + 1
    return _keep_first(ids, np.add.reduceat(begun, first), scheme.most_per_word)


def _characters_that_count(scheme: NgramScheme) -> int:
    """Return how long a word can be before more of it gives no further n-gram."""
    sizes = scheme.longest - scheme.shortest + 1
    return -(-scheme.most_per_word // sizes) + scheme.longest - 1


def _hash_ngrams(text: bytes, starts: NDArray[np.int64], ends: NDArray[np.int64]) -> NDArray[np.uint32]:
    """Return fastText's hash of the n-grams of a text that begin and end (exclusive) at these characters."""
    signed = np.frombuffer(text, dtype=np.int8)
    places = np.append(np.flatnonzero(signed > _LAST_CONTINUATION), len(signed))  # (S + 1,), of characters' first bytes
    starts, ends = places[starts], places[ends]
    longest = int((ends - starts).max(initial=0))
    ahead = np.append(signed, np.zeros(longest, np.int8)).astype(np.int32).view(np.uint32)
    hashes = np.empty((longest, len(signed)), dtype=np.uint32)  # after each number of bytes, from every byte
    value: NDArray[np.uint32] | np.uint32 = np.uint32(_FNV_OFFSET)
    for taken, row in enumerate(hashes):
        np.bitwise_xor(value, ahead[taken : taken + len(row)], out=row)
        value = np.multiply(row, np.uint32(_FNV_PRIME), out=row)
    return np.asarray(hashes[ends - starts - 1, starts])


def _keep_first(
    ids: NDArray[np.int32], counts: NDArray[np.int64], most: int
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Return the first ids of each word, and how many they are; ids (of all words) and counts (T,) as they were."""
    if counts.max() <= most:
        return ids, counts
    rank = np.arange(len(ids)) - np.repeat(np.cumsum(counts) - counts, counts)
    return ids[rank < most], np.minimum(counts, most)
