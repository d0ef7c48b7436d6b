"""Character n-grams of a word, hashed into buckets as fastText does.

Source: Bojanowski et al., "Enriching Word Vectors with Subword Information" (2017), and fastText's dictionary.cc.
Unlike fastText, a word has no row of its own: any word, known or not, is the mean of its n-grams.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

_FNV_OFFSET, _FNV_PRIME, _MASK = 2166136261, 16777619, 0xFFFFFFFF

_LAST_CONTINUATION = -65
"""0xBF as a signed byte: in UTF-8 all that is above it begins a character."""

_MOST_BYTES = 4
"""Of a character in UTF-8."""

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
    """Return the ids of all words in one row (K,), and how many each has (T,): `ngram_ids`, for all words at once."""
    if not words:
        return np.zeros(0, np.int32), np.zeros(0, np.int64)
    spans = _ngram_spans(scheme)
    longest = len(spans.counts) - 1
    lengths = np.array([len(word) for word in words]) + 2  # with the marks at both ends
    if lengths.max() > longest + 2:  # the rest of such a word gives no further n-gram
        words, lengths = [word[:longest] for word in words], np.minimum(lengths, longest + 2)
    kinds = np.minimum(lengths, longest)
    counts = spans.counts[kinds]
    which = np.arange(counts.sum()) + (spans.first[kinds] - counts.cumsum() + counts).repeat(counts)
    within = spans.bounds.take(which, axis=1) + (lengths.cumsum() - lengths).repeat(counts)  # (2, K)
    hashes = _hash_ngrams(f"<{'><'.join(words)}>", within, scheme.longest)
    return (hashes % np.uint32(scheme.buckets)).astype(np.int32) + 1, counts


@dataclass(frozen=True, slots=True)
class _Spans:
    """Where the n-grams of a word lie, for every length that matters: words as long as one another have the same.

    Attributes:
        bounds: First character and the one after the last, of all lengths' n-grams in a row, (2, n-grams).
        first: Where the n-grams of a word of L characters begin in that row.
        counts: How many n-grams a word of L characters has.
    """

    bounds: NDArray[np.intp]
    first: NDArray[np.int64]
    counts: NDArray[np.int64]


@cache
def _ngram_spans(scheme: NgramScheme) -> _Spans:
    """Return the spans of words up to the length from which on no further n-gram is kept."""
    sizes = range(scheme.shortest, scheme.longest + 1)
    longest = -(-scheme.most_per_word // len(sizes)) + scheme.longest - 1
    of_length = [
        [(start, start + size) for start in range(length) for size in sizes if start + size <= length]
        for length in range(longest + 1)
    ]
    kept = [spans[: scheme.most_per_word] for spans in of_length]
    counts = np.array([len(spans) for spans in kept])
    bounds = np.array([bounds for spans in kept for bounds in spans], dtype=np.intp)
    return _Spans(np.ascontiguousarray(bounds.reshape(-1, 2).T), counts.cumsum() - counts, counts)


def _hash_ngrams(text: str, spans: NDArray[np.intp], characters: int) -> NDArray[np.uint32]:
    """Return fastText's hash (K,) of the n-grams of a text between these characters (2, K), the second exclusive.

    The hash of an n-gram is one of those from its first byte on. No n-gram has more ``characters`` than that.
    """
    after = bytes(_MOST_BYTES * characters)  # where the last n-gram ends, and what no n-gram reads of
    signed = np.frombuffer(text.encode() + after, dtype=np.int8)
    starts, ends = (signed > _LAST_CONTINUATION).nonzero()[0].take(spans)
    sizes = ends - starts
    ahead = signed.astype(np.int32).view(np.uint32)
    shape = int(sizes.max(initial=0)), len(signed) - len(after)
    hashes = np.empty(shape, dtype=np.uint32)  # after each number of bytes, from every byte
    value: NDArray[np.uint32] | np.uint32 = np.uint32(_FNV_OFFSET)
    prime = np.uint32(_FNV_PRIME)
    for taken, row in enumerate(hashes):
        np.bitwise_xor(value, ahead[taken : taken + len(row)], out=row)
        row *= prime
        value = row
    return np.asarray(hashes.ravel().take((sizes - 1) * hashes.shape[1] + starts))
