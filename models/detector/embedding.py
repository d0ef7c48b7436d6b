"""The frozen word embedding: an INT8 row and an FP16 scale for every n-gram bucket; a word is the mean of its n-grams.

B buckets, T words, M n-grams of a word, D dimensions. The numbers are those of the released graph: training, evaluation
and the device compute with the same dequantised rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.detector.model_file import model_file_errors, read_arrays, write_arrays
from models.errors import ModelFileError
from models.text.ngrams import PADDING, NgramScheme, flat_ngram_ids

_WORDS_AT_ONCE = 4096
"""Bounds the memory of embedding many words: about 9 n-grams of D numbers each."""


@dataclass(frozen=True)
class NgramEmbedding:
    """A table of quantised n-gram vectors.

    Attributes:
        scheme: How words become ids.
        rows: INT8, (B + 1, D); row 0 is zero and stands for padding.
        scales: FP16, (B + 1,); a vector is its row times its scale.

    Raises:
        ModelFileError: Shapes, types or the padding row are wrong, or a scale is not finite.
    """

    scheme: NgramScheme
    rows: NDArray[np.int8]
    scales: NDArray[np.float16]

    def __post_init__(self) -> None:
        expected = self.scheme.buckets + 1
        if self.rows.dtype != np.int8 or self.rows.ndim != 2 or len(self.rows) != expected or not self.rows.shape[1]:
            raise ModelFileError(f"expected {expected} rows of INT8, got {self.rows.shape} of {self.rows.dtype}")
        if self.scales.dtype != np.float16 or self.scales.shape != (expected,):
            raise ModelFileError(f"expected {expected} scales of FP16, got {self.scales.shape} of {self.scales.dtype}")
        if not np.isfinite(self.scales).all() or self.rows[PADDING].any():
            raise ModelFileError("a scale is not finite, or the padding row is not zero")

    @property
    def dimensions(self) -> int:
        """D."""
        return int(self.rows.shape[1])

    @cached_property
    def table(self) -> NDArray[np.float32]:
        """The dequantised vectors, float32, (B + 1, D)."""
        return self.rows.astype(np.float32) * self.scales.astype(np.float32)[:, np.newaxis]

    def embed(self, ids: NDArray[np.int32]) -> NDArray[np.float32]:
        """Return word vectors (T, D) for n-gram ids (T, M): the mean over ids that are not padding.

        A word without any n-gram is the zero vector.
        """
        counts = np.maximum((ids != PADDING).sum(axis=1), 1)
        sums = self.table[ids].sum(axis=1)  # (T, D)
        return np.asarray(sums / counts[:, np.newaxis], dtype=np.float32)

    def embed_words(self, words: Sequence[str]) -> NDArray[np.float32]:
        """Return word vectors (T, D). Every distinct word is worked out once, in bounded memory."""
        distinct = {word: place for place, word in enumerate(dict.fromkeys(words))}
        names = list(distinct)
        parts = [self._embed_some(names[at : at + _WORDS_AT_ONCE]) for at in range(0, len(names), _WORDS_AT_ONCE)]
        vectors = np.concatenate([np.empty((0, self.dimensions), np.float32), *parts])
        return vectors[[distinct[word] for word in words]]

    def _embed_some(self, words: Sequence[str]) -> NDArray[np.float32]:
        """As `embed`, without padding: n-grams of all words in one row, summed by word."""
        flat, counts = flat_ngram_ids(words, self.scheme)
        starts = np.cumsum(counts) - counts
        sums = np.add.reduceat(self.table[flat], starts, axis=0)  # (T, D)
        return np.asarray(sums / counts[:, np.newaxis], dtype=np.float32)

    def save(self, path: Path) -> None:
        """Write the table as a NumPy archive."""
        scheme = {name: np.array(value) for name, value in asdict(self.scheme).items()}
        write_arrays(path, {"rows": self.rows, "scales": self.scales, **scheme})

    @classmethod
    def load(cls, path: Path) -> NgramEmbedding:
        """Read what `save` wrote.

        Raises:
            ModelFileError: The file is missing or damaged, or its parts don't fit together.
        """
        arrays = read_arrays(path, ("rows", "scales", *NgramScheme.__dataclass_fields__))
        with model_file_errors(path):
            scheme = NgramScheme(**{name: int(arrays[name]) for name in NgramScheme.__dataclass_fields__})
            return cls(scheme, arrays["rows"], arrays["scales"])


def quantise_rows(scheme: NgramScheme, vectors: NDArray[np.float32]) -> NgramEmbedding:
    """Return vectors (B + 1, D) as INT8 rows with one FP16 scale each; row 0 becomes zero.

    The scale is rounded to FP16 before the rows are, so that its rounding error doesn't add to theirs.
    """
    largest = np.abs(vectors).max(axis=1)
    scales = np.maximum(largest / 127.0, np.finfo(np.float16).tiny).astype(np.float16)
    rows = np.clip(np.rint(vectors / scales.astype(np.float32)[:, np.newaxis]), -127, 127).astype(np.int8)
    rows[PADDING] = 0
    return NgramEmbedding(scheme, rows, scales)
