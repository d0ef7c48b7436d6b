"""Calls as a training step hears them: in random order, a random stretch of each, with words unheard.

N calls, T words.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.domain.call import Call

_BATCHES_A_POOL = 8
"""Calls are sorted by length within so many batches: less padding, and batches still differ in every epoch."""

_FEWEST_WORDS = 25
"""A stretch from the midst of a call begins so many words before its end, at the latest."""


def weigh_sources(calls: Sequence[Call]) -> NDArray[np.float32]:
    """Return a weight a call (N,), 1 in the mean, under which every source and label counts the same."""
    cells = [(call.source, call.label) for call in calls]
    counts = Counter(cells)
    return np.array([len(calls) / (len(counts) * counts[cell]) for cell in cells], dtype=np.float32)


@dataclass(frozen=True, slots=True)
class HeardBatch:
    """What one step learns from.

    Attributes:
        words: Numbers of words (N, T), 0 for padding and for words unheard.
        lengths: In words, (N,), words unheard counted.
        labels: (N,).
        weights: (N,).
    """

    words: Tensor
    lengths: Tensor
    labels: Tensor
    weights: Tensor


@dataclass(frozen=True, slots=True)
class HeardCalls:
    """Numbered calls and how they are varied from epoch to epoch.

    Attributes:
        words: Numbers of words (N, T), 0 for padding.
        lengths: (N,), in words.
        labels: (N,).
        weights: (N,), of each call in the loss.
        most_words: Of a call that a step hears.
        word_dropout: Share of words unheard.
        midst_shares: (N,), how often each call is heard from any word on.
        most_words_skipped: Else it begins at a random word, at most this one and at most a third into the call.
        batch_calls: N of a batch.
    """

    words: NDArray[np.int32]
    lengths: NDArray[np.int64]
    labels: NDArray[np.float32]
    weights: NDArray[np.float32]
    most_words: int
    word_dropout: float
    midst_shares: NDArray[np.float32]
    most_words_skipped: int
    batch_calls: int

    def batches(self, random: torch.Generator) -> Iterator[HeardBatch]:
        """Yield every call once, in batches of similar length and in random order."""
        order = torch.randperm(len(self.labels), generator=random).numpy()
        pool = self.batch_calls * _BATCHES_A_POOL
        pools = [order[at : at + pool] for at in range(0, len(order), pool)]
        heard = np.minimum(self.lengths, self.most_words)
        ordered = np.concatenate([rows[np.argsort(heard[rows], kind="stable")] for rows in pools])
        batches = [ordered[at : at + self.batch_calls] for at in range(0, len(ordered), self.batch_calls)]
        for place in torch.randperm(len(batches), generator=random).tolist():
            yield self._hear(batches[place], random)

    def _hear(self, rows: NDArray[np.int64], random: torch.Generator) -> HeardBatch:
        lengths = torch.from_numpy(self.lengths[rows])
        first = self._first_words(lengths, torch.from_numpy(self.midst_shares[rows]), random)
        lengths = torch.clamp(lengths - first, max=self.most_words)
        places = torch.arange(int(lengths.max()))
        spoken = places < lengths.unsqueeze(1)  # (N, T)
        heard = torch.rand(spoken.shape, generator=random) >= self.word_dropout
        columns = (first.unsqueeze(1) + places).clamp_max(self.words.shape[1] - 1)
        words = torch.from_numpy(self.words[rows]).long().gather(1, columns) * (spoken & heard)
        return HeardBatch(words, lengths, torch.from_numpy(self.labels[rows]), torch.from_numpy(self.weights[rows]))

    def _first_words(self, lengths: Tensor, midst_shares: Tensor, random: torch.Generator) -> Tensor:
        """Return the place (N,) of the first word heard: near the call's start, or anywhere in it."""
        near = torch.clamp(lengths // 3, max=self.most_words_skipped)
        anywhere = torch.clamp(lengths - _FEWEST_WORDS, min=0)
        from_midst = torch.rand(len(lengths), generator=random) < midst_shares
        latest = torch.where(from_midst, anywhere, near)
        return (torch.rand(len(lengths), generator=random) * (latest + 1)).long()
