"""The n-gram table while it is still being trained, on calls that are all in one place; afterwards it is frozen.

V distinct words, U words of a batch, B buckets, D dimensions.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.detector.embedding import NgramEmbedding, quantise_rows
from models.text.ngrams import flat_ngram_ids


class TunableEmbedding(nn.Module):
    """An embedding's table as a parameter, for the words of a fixed vocabulary.

    Words are numbered from 1, as they come; 0 is padding and stays zero.
    """

    def __init__(self, embedding: NgramEmbedding, vocabulary: Sequence[str]) -> None:
        super().__init__()
        self.scheme = embedding.scheme
        self.table = nn.Parameter(torch.from_numpy(embedding.table.copy()))  # (B + 1, D)
        flat, counts = flat_ngram_ids(vocabulary, embedding.scheme)
        self._ids = torch.from_numpy(flat).long()
        self._counts = torch.cat([torch.zeros(1, dtype=torch.long), torch.from_numpy(counts)])
        self._starts = torch.cumsum(self._counts, 0) - self._counts

    def forward(self, words: Tensor, ngram_dropout: float, random: torch.Generator) -> Tensor:
        """Return vectors (U, D) of numbered words (U,): the mean of the n-grams that are not dropped."""
        counts = self._counts[words]
        owner = torch.repeat_interleave(torch.arange(len(words)), counts)
        first = torch.cumsum(counts, 0) - counts
        ids = self._ids[self._starts[words][owner] + torch.arange(len(owner)) - first[owner]]
        kept = torch.rand(len(ids), generator=random) >= ngram_dropout
        ids, owner = ids[kept], owner[kept]
        offsets = torch.searchsorted(owner, torch.arange(len(words)))
        return nn.functional.embedding_bag(ids, self.table, offsets, mode="mean")

    def freeze(self) -> NgramEmbedding:
        """Return the table as it ships: INT8 rows and FP16 scales."""
        vectors: NDArray[np.float32] = self.table.detach().numpy().copy()
        return quantise_rows(self.scheme, vectors)
