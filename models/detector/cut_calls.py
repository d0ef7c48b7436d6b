"""Calls cut at several seconds: what a model without an idea of time learns from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.detector.heard_calls import weigh_sources
from models.domain.call import Call
from models.text.window import WINDOWS, words_until

LEARNED_AT = WINDOWS
"""Seconds at which the calls that such a model learns from are cut."""

Words = Sequence[str]


@dataclass(frozen=True, slots=True)
class Examples:
    """Calls cut at all of `LEARNED_AT`, window after window.

    Attributes:
        words: Of each cut call (N); none is empty.
        labels: (N,): 1 vishing, 0 normal.
        weights: (N,), 1 in the mean: every source and label weighs the same.
    """

    words: list[Words]
    labels: NDArray[np.int64]
    weights: NDArray[np.float64]


def cut_calls(calls: Sequence[Call]) -> Examples:
    """Return calls, cut at all windows, as examples."""
    weighed = list(zip(calls, weigh_sources(calls).tolist(), strict=True))
    cut = [(words_until(call, at), int(call.label), weight) for at in LEARNED_AT for call, weight in weighed]
    spoken = [each for each in cut if each[0]]
    weights = np.array([weight for _, _, weight in spoken])
    labels = np.array([label for _, label, _ in spoken])
    return Examples([words for words, _, _ in spoken], labels, weights / weights.mean())
