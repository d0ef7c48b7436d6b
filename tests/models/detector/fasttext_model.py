"""A small fastText model, written byte by byte as fastText's own source does (``FastText::saveModel``)."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.text.ngrams import fasttext_hash

SKIPGRAM, SUPERVISED = 2, 3


@dataclass
class FastTextModel:
    """What a ``.bin`` holds; rows are random."""

    words: list[str]
    dimensions: int = 12
    buckets: int = 300
    shortest: int = 2
    longest: int = 4
    kind: int = SKIPGRAM
    magic: int = 793_712_314
    version: int = 12
    quantised: bool = False
    pruned: int = -1
    rows: NDArray[np.float32] = field(init=False)

    def __post_init__(self) -> None:
        shape = (len(self.words) + self.buckets, self.dimensions)
        self.rows = np.random.default_rng(5).standard_normal(shape).astype(np.float32)

    def ngram_mean(self, word: str) -> NDArray[np.float32]:
        """As ``FastText::getWordVector`` for a word that the dictionary lacks."""
        marked = f"<{word}>"
        ids = [
            fasttext_hash(marked[start : start + size].encode()) % self.buckets
            for start in range(len(marked))
            for size in range(self.shortest, self.longest + 1)
            if start + size <= len(marked)
            and not (size == 1 and marked[start] in "<>" and start in (0, len(marked) - 1))
        ]
        return self.rows[[len(self.words) + place for place in ids]].mean(axis=0)

    def write(self, path: Path) -> Path:
        arguments = (self.dimensions, 5, 5, 1, 5, 1, 2, self.kind, self.buckets, self.shortest, self.longest, 100, 1e-4)
        content = struct.pack("<2i", self.magic, self.version) + struct.pack("<12id", *arguments)
        content += struct.pack("<3i2q", len(self.words), len(self.words), 0, 1000, self.pruned)
        for place, word in enumerate(self.words):
            content += word.encode() + b"\0" + struct.pack("<qb", 1000 - place, 0)
        content += struct.pack("<?", self.quantised) + struct.pack("<2q", *self.rows.shape) + self.rows.tobytes()
        output = np.zeros((len(self.words), self.dimensions), np.float32)
        path.write_bytes(content + struct.pack("<?", False) + struct.pack("<2q", *output.shape) + output.tobytes())
        return path
