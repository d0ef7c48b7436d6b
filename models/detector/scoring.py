"""Logits of calls, in fast batches of similar length."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray

from models.detector.classifier import Classifier
from models.detector.detector import TrainedDetector
from models.detector.embedded_calls import EmbeddedCalls, IndexedCalls, index_calls
from models.domain.call import Call

_WORDS_AT_ONCE = 16_384
"""Words of a batch, padding counted; bounds memory whatever the length of the calls."""


def score_calls(trained: TrainedDetector, calls: Sequence[Call], seconds: float) -> NDArray[np.float64]:
    """Return the logits (N,) of what was spoken in the first ``seconds`` of each call."""
    return score_indexed(trained.build_network(), index_calls(calls, seconds, trained.embedding, trained.bag))


def score_embedded(network: Classifier, calls: EmbeddedCalls) -> NDArray[np.float64]:
    """Return the network's logits (N,) of embedded calls, all in one batch."""
    with torch.inference_mode():
        logits, _ = network(torch.from_numpy(calls.embedded), torch.from_numpy(calls.lengths))
    return np.asarray(logits.double().numpy())


def score_indexed(network: Classifier, calls: IndexedCalls) -> NDArray[np.float64]:
    """Return the logits (N,) of indexed calls, the bag's added, in batches of similar length."""
    logits = calls.bag.copy()
    order = np.argsort(calls.lengths, kind="stable")
    at = 0
    while at < len(order):
        rows = _next_rows(order[at:], calls.lengths)
        longest = int(calls.lengths[rows[-1]])
        embedded = calls.vectors[calls.indices[rows, :longest]]  # (N, T, D)
        logits[rows] += score_embedded(network, EmbeddedCalls(embedded, calls.lengths[rows], calls.labels[rows]))
        at += len(rows)
    return logits


def score_windows(network: Classifier, heard: Sequence[IndexedCalls]) -> NDArray[np.float64]:
    """Return the logits (W, N), the bag's added, of N calls as heard at W moments, each later than the one before.

    A call in which nothing was said since the moment before is not judged again.
    """
    logits = [score_indexed(network, heard[0])]
    for before, each in pairwise(heard):
        grown = each.words > before.words
        said = logits[-1].copy()
        said[grown] = score_indexed(network, each.rows(grown))
        logits.append(said)
    return np.array(logits)


def _next_rows(remaining: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return as many of the shortest remaining calls as fit a batch, at least one."""
    room = _WORDS_AT_ONCE // np.maximum(lengths[remaining], 1)
    fitting = int(np.sum(np.arange(len(remaining)) < room))
    return remaining[: max(fitting, 1)]
