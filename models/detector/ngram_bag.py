"""The bag of n-grams beside the network: which n-grams a call holds at all, whatever their order.

The wide part of a wide and deep model (Cheng et al., 2016, "Wide & Deep Learning for Recommender Systems"): it knows by
heart what the network has to generalise from. Frozen like the embedding, and ships beside it.

N calls, B buckets.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.detector.model_file import model_file_errors, read_arrays, write_arrays
from models.errors import ModelFileError
from models.text.ngrams import PADDING, NgramScheme, flat_ngram_ids

_LEAST_SQUARES = 1.0
"""No known n-gram's square is below it, so the floor changes only calls without any."""


@dataclass(frozen=True)
class NgramBag:
    """Logistic regression over a call's distinct n-grams, each weighed by its rarity, the call's vector of length 1.

    A call's logit is ``bias + sum(weights) / sqrt(sum(squares))`` over the n-grams it holds.

    Attributes:
        table: FP16, (B + 1, 2): an n-gram's weight (its coefficient times its rarity), and its rarity's square. Zeros
            for padding (row 0) and for n-grams unknown in training.
        bias: The logit of a call without a known n-gram.

    Raises:
        ModelFileError: The shape or type is wrong, a number is not finite, a square is below zero, or the padding's row
            is not zero.
    """

    table: NDArray[np.float16]
    bias: float = 0.0

    def __post_init__(self) -> None:
        if self.table.dtype != np.float16 or self.table.shape[1:] != (2,) or not len(self.table):
            found = f"{self.table.shape} of {self.table.dtype}"
            raise ModelFileError(f"the bag of n-grams: expected rows of 2 FP16 numbers, got {found}")
        if not np.isfinite(self.table).all() or not np.isfinite(self.bias):
            raise ModelFileError("the bag of n-grams: a number is not finite")
        if self.table[PADDING].any() or (self.table[:, 1] < 0).any():
            raise ModelFileError("the bag of n-grams: the padding's row is not zero, or a square is below it")

    @classmethod
    def silent(cls, scheme: NgramScheme) -> NgramBag:
        """Return a bag that says 0 of every call: the network judges alone."""
        return cls(np.zeros((scheme.buckets + 1, 2), dtype=np.float16))

    def judge(self, calls: Sequence[Sequence[str]], scheme: NgramScheme) -> NDArray[np.float64]:
        """Return the logits (N,) of calls given as words."""
        sums = [self.table[ids].sum(axis=0, dtype=np.float64) for ids in distinct_ngrams(calls, scheme)]
        weights, squares = np.array(sums).reshape(-1, 2).T
        return np.asarray(self.bias + weights / np.sqrt(np.maximum(squares, _LEAST_SQUARES)))

    def scaled(self, factor: float) -> NgramBag:
        """Return a bag whose logits are ``factor`` times as large."""
        table = self.table.copy()
        table[:, 0] = self.table[:, 0].astype(np.float64) * factor
        return replace(self, table=table, bias=self.bias * factor)

    def save(self, path: Path) -> None:
        """Write the bag as a NumPy archive."""
        write_arrays(path, {"table": self.table, "bias": np.array(self.bias)})

    @classmethod
    def load(cls, path: Path) -> NgramBag:
        """Read what `save` wrote.

        Raises:
            ModelFileError: The file is missing or damaged.
        """
        arrays = read_arrays(path, ("table", "bias"))
        with model_file_errors(path):
            return cls(arrays["table"], float(arrays["bias"]))


def distinct_ngrams(calls: Sequence[Sequence[str]], scheme: NgramScheme) -> Iterator[NDArray[np.int32]]:
    """Yield the ids of the n-grams that each call holds, in ascending order, each once."""
    words = list(dict.fromkeys(word for call in calls for word in call))
    flat, counts = flat_ngram_ids(words, scheme)
    of_word = dict(zip(words, np.split(flat, np.cumsum(counts)[:-1]), strict=True)) if words else {}
    nothing = np.zeros(0, np.int32)
    for call in calls:
        yield np.unique(np.concatenate([nothing, *(of_word[word] for word in set(call))]))
