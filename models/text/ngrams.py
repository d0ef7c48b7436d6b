"""Character n-grams of a word, hashed into buckets as fastText does.

Source: Bojanowski et al., "Enriching Word Vectors with Subword Information" (2017), and fastText's dictionary.cc.
Unlike fastText, a word has no row of its own: any word, known or not, is the mean of its n-grams.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

_FNV_OFFSET, _FNV_PRIME, _MASK = 2166136261, 16777619, 0xFFFFFFFF

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


@lru_cache(maxsize=200_000)
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
    """Return the ids of all words in one row, and how many each word has (T,): `ngram_ids`, for all words at once."""
    if not words:
        return np.zeros(0, np.int32), np.zeros(0, np.int64)
    text = "".join(f"<{word}>" for word in words)
    characters = np.frombuffer(text.encode("utf-32-le"), dtype=np.uint32)
    lengths = np.array([len(word) + 2 for word in words])
    last = np.cumsum(lengths)
    room = np.repeat(last, lengths) - np.arange(len(characters))  # characters left in the word, by start of an n-gram
    wanted = np.arange(scheme.shortest, scheme.longest + 1) <= room[:, np.newaxis]  # (characters, sizes of n-grams)
    taken = wanted.astype(np.int64)
    before = np.cumsum(taken).reshape(taken.shape) - taken
    rank = before - np.repeat(before[last - lengths, 0], lengths)[:, np.newaxis]  # of an n-gram in its word
    wanted &= rank < scheme.most_per_word
    ids = (_hash_from_every_start(characters, scheme)[wanted] % np.uint32(scheme.buckets)).astype(np.int32) + 1
    return ids, np.add.reduceat(wanted.sum(axis=1), last - lengths)


def _hash_from_every_start(characters: NDArray[np.uint32], scheme: NgramScheme) -> NDArray[np.uint32]:
    """Return fastText's hash of the n-grams of each size (columns) that begin at each character (rows)."""
    starts = len(characters)
    units, sizes = _signed_utf8(np.append(characters, np.zeros(scheme.longest, np.uint32)))
    there = [sizes > number for number in range(len(units))]
    hashes = np.full(starts, _FNV_OFFSET, dtype=np.uint32)
    by_size = []
    for length in range(scheme.longest):
        place = slice(length, length + starts)
        for unit, is_there in zip(units, there, strict=True):
            longer = (hashes ^ unit[place]) * np.uint32(_FNV_PRIME)
            hashes = longer if unit is units[0] else np.where(is_there[place], longer, hashes)
        by_size.append(hashes)
    return np.stack(by_size[scheme.shortest - 1 :], axis=1)


def _signed_utf8(characters: NDArray[np.uint32]) -> tuple[list[NDArray[np.uint32]], NDArray[np.int64]]:
    """Return the first, second, ... UTF-8 byte of each character, sign-extended as fastText does, and their number."""
    sizes = np.digitize(characters, (0x80, 0x800, 0x10000)) + 1
    lead = np.array([0, 0, 0xFFFFFFC0, 0xFFFFFFE0, 0xFFFFFFF0], dtype=np.uint32)[sizes]
    units = []
    for number in range(int(sizes.max())):
        shifted = characters >> np.maximum(6 * (sizes - 1 - number), 0).astype(np.uint32)
        units.append(shifted & np.uint32(0x3F) | np.uint32(0xFFFFFF80) if number else shifted | lead)
    return units, sizes
