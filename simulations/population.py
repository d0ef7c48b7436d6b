"""Who has which calls: devices unlike one another, as phones are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from fl_client.training import LabelledWords
from models.detector.embedded_calls import IndexedCalls, index_calls
from models.detector.embedding import NgramEmbedding
from models.domain.call import Call, Label

SHARE_OF_TARGETS = 0.35
"""Devices that scammers reach; all others hold normal calls only."""

UNEQUAL_NUMBERS = 0.6
"""Standard deviation of the logarithm of a device's share of the calls."""

UNEQUAL_TYPES = 0.5
"""Concentration of the Dirichlet distribution of a scam type over the devices; below 1 is uneven."""

SECONDS_TRAINED_ON = 60.0
"""Devices train on the first minute of a call: a warning that comes later is too late."""


def deal_calls(calls: Sequence[Call], devices: int, seed: int) -> list[list[Call]]:
    """Return each device's calls: unequal in number, and in the types of the scams.

    Every call goes to exactly one device; a device may end up with none.
    """
    generator = np.random.default_rng([seed, devices])
    dealt: list[list[Call]] = [[] for _ in range(devices)]
    shares = _shares(generator, devices)
    targets = generator.permutation(devices)[: max(1, round(SHARE_OF_TARGETS * devices))]
    normal = [call for call in calls if call.label is Label.NORMAL]
    for call, device in zip(normal, generator.choice(devices, size=len(normal), p=shares), strict=True):
        dealt[device].append(call)
    for of_type in _by_type(calls):
        tastes = generator.dirichlet(np.full(len(targets), UNEQUAL_TYPES))
        for call, device in zip(of_type, generator.choice(targets, size=len(of_type), p=tastes), strict=True):
            dealt[device].append(call)
    return dealt


class Population:
    """The devices' calls, embedded once and handed out one device at a time."""

    def __init__(self, dealt: Sequence[Sequence[Call]], embedding: NgramEmbedding) -> None:
        """Embed the first minute of every call.

        Args:
            dealt: Each device's calls.
            embedding: The base detector's, frozen.
        """
        self._indexed: IndexedCalls = index_calls(
            [call for calls in dealt for call in calls], SECONDS_TRAINED_ON, embedding
        )
        self._ends = np.cumsum([len(calls) for calls in dealt])
        self._spoken = np.any(self._indexed.indices > 0, axis=1)

    def calls_of(self, device: int) -> list[LabelledWords]:
        """Return a device's calls, ready to train on; calls without a word are left out."""
        start = self._ends[device - 1] if device else 0
        return [self._labelled_words(row) for row in range(start, self._ends[device]) if self._spoken[row]]

    def _labelled_words(self, row: int) -> LabelledWords:
        indexed = self._indexed
        embedded = indexed.vectors[indexed.indices[row, : indexed.lengths[row]]]  # (T, D)
        return LabelledWords(embedded, int(indexed.labels[row]))


def _shares(generator: np.random.Generator, devices: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    weights = generator.lognormal(sigma=UNEQUAL_NUMBERS, size=devices)
    shares: np.ndarray[tuple[int], np.dtype[np.float64]] = weights / weights.sum()
    return shares


def _by_type(calls: Sequence[Call]) -> list[list[Call]]:
    by_type: dict[str, list[Call]] = defaultdict(list)
    for call in calls:
        if call.label is Label.VISHING:
            by_type[call.scam_type].append(call)
    return [by_type[scam_type] for scam_type in sorted(by_type)]
