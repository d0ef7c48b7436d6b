"""The detector's network for plain gradient descent: a batch's gradient goes straight into the parameters.

The same mathematics as nn.LSTM's with autograd. Without modules, graph and optimizer a step on a device's few calls
costs little more than its arithmetic, and the gradient of the words, which nobody needs, is not taken.

T words, N calls, D dimensions, H hidden units, P parameters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.detector.classifier import HIDDEN, Classifier
from models.detector.parameters import require_layout
from models.detector.recurrence import LstmWeights, Recurrence

WORDS_APART = 16
"""Batches' memory is made for a multiple of so many words, so that one serves calls of about the same length."""


class BatchMemory:
    """What a step on so many calls of at most so many words is worked out in. Sensitive, like the words themselves."""

    def __init__(self, words: int, calls: int, dimensions: int) -> None:
        self.embedded = torch.empty(words, calls, dimensions)
        self.recurrence = Recurrence(words, calls, HIDDEN)

    def fill(self, calls: Sequence[NDArray[np.float32]]) -> Tensor:
        """Return calls of embedded words, each of shape (T, D), as one tensor (T, N, D), padded on the right."""
        longest, embedded = max(map(len, calls)), self.embedded.numpy()
        for place, words in enumerate(calls):
            embedded[: len(words), place] = words
            embedded[len(words) : longest, place] = 0
        return self.embedded[:longest]


@dataclass(frozen=True, slots=True)
class _Layers:
    """Views into a vector of shape (P,), in the order of a `Classifier`'s parameters.

    Attention and output are one matrix (2, H + 1), for each is a row of weights with its bias.
    """

    from_words: Tensor
    from_hidden: Tensor
    bias_of_words: Tensor
    bias_of_hidden: Tensor
    head: Tensor


class ParameterMemory:
    """Where a training's parameters stand, and what it adds to them. Sensitive, like what is learned from calls."""

    def __init__(self, dimensions: int) -> None:
        parameters = sum(shape.numel() for shape in _layout(dimensions).values())
        self.values, self.update = torch.empty(parameters), torch.empty(parameters)
        self.layers, self.moves = _split(self.values, dimensions), _split(self.update, dimensions)


class Memory:
    """What plain training is worked out in: made for each training, and gone with it."""

    def parameters(self, dimensions: int) -> ParameterMemory:
        """Return memory for the parameters of a network for words of so many dimensions."""
        return ParameterMemory(dimensions)

    def batch(self, words: int, calls: int, dimensions: int) -> BatchMemory:
        """Return memory for a step."""
        return BatchMemory(words, calls, dimensions)


class KeptMemory(Memory):
    """Gives out the last few memories again; for whoever trains many devices, one by one.

    An update stands in it until the next training.
    """

    def __init__(self, batches: int = 8) -> None:
        """Keep the memories of so many sizes of batches."""
        self._parameters, self._batch = lru_cache(maxsize=1)(ParameterMemory), lru_cache(maxsize=batches)(BatchMemory)

    def parameters(self, dimensions: int) -> ParameterMemory:
        """Return the last training's memory, if it was for words of so many dimensions."""
        return self._parameters(dimensions)

    def batch(self, words: int, calls: int, dimensions: int) -> BatchMemory:
        """Return an earlier step's memory, if there was one on as many calls."""
        return self._batch(words, calls, dimensions)


class PlainClassifier:
    """A `Classifier`'s parameters, and the step that moves them.

    Attributes:
        update: What all steps together added to the parameters, in their order, shape (P,).
    """

    def __init__(
        self, parameters: Mapping[str, NDArray[np.float32]], dimensions: int, memory: Memory | None = None
    ) -> None:
        """Start from parameters, which stay as they are.

        Args:
            parameters: By name, in order.
            dimensions: Of a word.
            memory: What all is worked out in; ``None`` makes one that dies with this object.

        Raises:
            ModelFileError: Names or shapes differ from those of a `Classifier` for words of so many dimensions.
        """
        require_layout(parameters, _layout(dimensions))
        self._start, self._dimensions, self._memory = parameters, dimensions, memory or Memory()
        self._own = self._memory.parameters(dimensions)
        self.update, self._has_moved = self._own.update.zero_(), False

    @torch.inference_mode()
    def step(
        self, calls: Sequence[NDArray[np.float32]], labels: Tensor, vishing_weight: float, learning_rate: float
    ) -> None:
        """Take one step of gradient descent on the mean loss, binary cross entropy.

        Args:
            calls: Embedded words of each of N calls, shape (T, D); T may differ and is at least 1.
            labels: 1.0 vishing, 0.0 normal, shape (N,).
            vishing_weight: How much a vishing call weighs against a normal one.
            learning_rate: Factor on the gradient.
        """
        layers, lengths = self._layers(), [len(words) for words in calls]
        room = -(-max(lengths) // WORDS_APART) * WORDS_APART
        memory = self._memory.batch(room, len(calls), self._dimensions)
        embedded, recurrence = memory.fill(calls), memory.recurrence
        lstm = LstmWeights(layers.from_words, layers.from_hidden, layers.bias_of_words + layers.bias_of_hidden)
        hidden = recurrence.run_forward(embedded, lstm)
        at_head = _arriving_at_head(layers.head, hidden, lengths, labels, vishing_weight)
        at_hidden = torch.mm(at_head.t(), layers.head[:, :-1]).view_as(hidden)
        at_gates = recurrence.gate_gradients(at_hidden, layers.from_hidden).flatten(0, 1)  # (TN, 4H)
        self._move_lstm(at_gates, embedded, recurrence.hidden_before, -learning_rate)
        self._move_head(at_head, hidden, -learning_rate)
        self._has_moved = True

    def _layers(self) -> _Layers:
        """Return the parameters as they stand."""
        values = self._own.values
        np.concatenate([array.ravel() for array in self._start.values()], out=values.numpy())
        if self._has_moved:
            values.add_(self.update)
        return self._own.layers

    def _move_lstm(self, at_gates: Tensor, embedded: Tensor, hidden_before: Tensor, rate: float) -> None:
        moves, by_gate = self._own.moves, at_gates.t()
        moves.from_words.addmm_(by_gate, embedded.flatten(0, 1), alpha=rate)
        moves.from_hidden.addmm_(by_gate, hidden_before.flatten(0, 1), alpha=rate)
        moves.bias_of_words.add_(at_gates.sum(0), alpha=rate)
        moves.bias_of_hidden.copy_(moves.bias_of_words)  # the network sees their sum only

    def _move_head(self, at_head: Tensor, hidden: Tensor, rate: float) -> None:
        head = self._own.moves.head
        head[:, :-1].addmm_(at_head, hidden.flatten(0, 1), alpha=rate)
        head[:, -1].add_(at_head.sum(1), alpha=rate)


def _arriving_at_head(
    head: Tensor, hidden: Tensor, lengths: Sequence[int], labels: Tensor, vishing_weight: float
) -> Tensor:
    """Return the mean loss's gradients at each word's energy, and at the output from each word, shape (2, TN).

    The output is linear in the weighted mean of the words: as if each word had an output of its own.
    """
    of_words = torch.addmm(head[:, -1:], head[:, :-1], hidden.flatten(0, 1).t())  # (2, TN)
    energies, outputs = of_words.view(2, *hidden.shape[:2]).unbind()  # (T, N)
    if min(lengths) < len(hidden):
        energies = energies.masked_fill(torch.arange(len(hidden)).unsqueeze(1) >= torch.tensor(lengths), -1e9)
    attention = torch.softmax(energies, dim=0)
    logits = (attention * outputs).sum(0)  # (N,)
    share, of_calls = 1 / len(lengths), torch.add(1.0, labels, alpha=vishing_weight - 1)
    at_logits = torch.sigmoid(logits).mul_(of_calls).sub_(labels, alpha=vishing_weight).mul_(share)
    at_outputs = attention.mul_(at_logits)
    return torch.stack((outputs.sub_(logits).mul_(at_outputs), at_outputs)).flatten(1)


@lru_cache(maxsize=8)
def _layout(dimensions: int) -> dict[str, torch.Size]:
    """Return the shape of each parameter of a `Classifier`."""
    with torch.device("meta"):
        return {name: parameter.shape for name, parameter in Classifier(dimensions).named_parameters()}


def _split(vector: Tensor, dimensions: int) -> _Layers:
    shapes = [*list(_layout(dimensions).values())[:4], torch.Size((2, HIDDEN + 1))]
    parts = torch.split(vector, [shape.numel() for shape in shapes])
    return _Layers(*(part.view(*shape) for part, shape in zip(parts, shapes, strict=True)))
