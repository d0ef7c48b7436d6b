"""Which words a detector was trained on, told of any word by a few kilobytes: a Bloom filter.

The n-gram table can't tell: words share its buckets, and all but a few of them are learned. Sources: Bloom, "Space/Time
Trade-offs in Hash Coding with Allowable Errors" (1970); two hashes make all: Kirsch, Mitzenmacher (2006).
"""

from __future__ import annotations

import base64
import binascii
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b

from models.errors import BadInputError

FEWEST_CALLS = 5
"""A word is known from so many calls on: who has the release can ask it of any word, so it must tell of no one call."""

_BITS_A_WORD, _HASHES = 10, 7  # 0.8 of 100 unknown words pass for known
_LARGEST_BYTES = 1_000_000


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The words that stand in enough of the calls that were trained on, and a few others.

    Attributes:
        bits: The filter.
    """

    bits: bytes

    @classmethod
    def of_calls(cls, calls: Iterable[Iterable[str]], fewest_calls: int = FEWEST_CALLS) -> Vocabulary | None:
        """Return the vocabulary of calls given as words, ``None`` where no word stands in enough of them."""
        counts = Counter(word for words in calls for word in set(words))
        known = [word for word, count in counts.items() if count >= fewest_calls]
        if not known:
            return None
        bits = bytearray(-(-_BITS_A_WORD * len(known) // 8))
        for word in known:
            for place in _places(word, 8 * len(bits)):
                bits[place // 8] |= 1 << place % 8
        return cls(bytes(bits))

    def knows(self, word: str) -> bool:
        """Return whether a word was trained on; rarely true of one that wasn't."""
        return all(self.bits[place // 8] >> place % 8 & 1 for place in _places(word, 8 * len(self.bits)))

    def unknown_share(self, words: Sequence[str]) -> float:
        """Return the share of words (어절), each as often as it was said, that it doesn't know; 0 of no words."""
        return sum(not self.knows(word) for word in words) / max(len(words), 1)

    def to_text(self) -> str:
        """Return the filter as base64."""
        return base64.b64encode(self.bits).decode()

    @classmethod
    def from_text(cls, text: str) -> Vocabulary:
        """Read what `to_text` wrote.

        Raises:
            BadInputError: It is empty, too long or no base64.
        """
        try:
            bits = base64.b64decode(text, validate=True)
        except (binascii.Error, TypeError, ValueError):
            bits = b""
        if not 0 < len(bits) <= _LARGEST_BYTES:
            raise BadInputError("a vocabulary is base64 of at least one byte")
        return cls(bits)


def _places(word: str, size: int) -> Iterator[int]:
    digest = blake2b(word.encode(), digest_size=16).digest()
    first, step = int.from_bytes(digest[:8], "little"), int.from_bytes(digest[8:], "little")
    return ((first + number * step) % size for number in range(_HASHES))
