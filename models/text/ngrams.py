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
    rows = [ngram_ids(word, scheme) for word in words]
    width = max((len(row) for row in rows), default=1)
    ids = np.full((len(rows), width), PADDING, dtype=np.int32)  # (T, M)
    for position, row in enumerate(rows):
        ids[position, : len(row)] = row
    return ids
