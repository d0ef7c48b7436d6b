"""The detector's network for plain gradient descent: a batch's gradient goes straight into the parameters.

The same mathematics as nn.LSTM's with autograd. Without modules, graph and optimizer a step on a device's few calls
costs little more than its arithmetic, and the gradient of the words, which nobody needs, is not taken.

T words, N calls, D dimensions, H hidden units, P parameters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.detector.classifier import HIDDEN, parameter_shapes
from models.detector.compiled_passes import GATES, run_backward, run_forward, run_head
from models.detector.parameters import require_layout

Floats = NDArray[np.float32]


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


class PlainClassifier:
    """A `Classifier`'s parameters, and the step that moves them.

    Attributes:
        update: What all steps together added to the parameters, in their order, shape (P,).
    """

    def __init__(self, parameters: Mapping[str, Floats], dimensions: int) -> None:
        """Start from parameters, which stay as they are.

        Args:
            parameters: By name, in order.
            dimensions: Of a word.

        Raises:
            ModelFileError: Names or shapes differ from those of a `Classifier` for words of so many dimensions.
        """
        require_layout(parameters, parameter_shapes(dimensions))
        self._dimensions = dimensions
        self._start = np.concatenate([array.ravel() for array in parameters.values()])
        self.update, self._has_moved = np.zeros_like(self._start), False

    @torch.inference_mode()
    def step(self, calls: Sequence[Floats], labels: Floats, vishing_weight: float, learning_rate: float) -> None:
        """Take one step of gradient descent on the mean loss, binary cross entropy.

        Args:
            calls: Embedded words of each of N calls, shape (T, D); T may differ and is at least 1.
            labels: 1.0 vishing, 0.0 normal, shape (N,).
            vishing_weight: How much a vishing call weighs against a normal one.
            learning_rate: Factor on the gradient.
        """
        values = self._start + self.update if self._has_moved else self._start
        embedded, lengths = _side_by_side(calls)
        arrived = _backpropagate(self._split(values), embedded, lengths, labels, vishing_weight)
        moves, by_gate, rate = self._split(self.update), arrived.at_gates.t(), -learning_rate
        moves.from_words.addmm_(by_gate, embedded.flatten(0, 1), alpha=rate)
        moves.from_hidden.addmm_(by_gate, arrived.hidden_before, alpha=rate)
        moves.bias_of_words.add_(arrived.at_gates.sum(0), alpha=rate)
        moves.bias_of_hidden.copy_(moves.bias_of_words)  # the network sees their sum only
        moves.head.add_(arrived.at_head, alpha=rate)
        self._has_moved = True

    def _split(self, vector: Floats) -> _Layers:
        shapes = [*list(parameter_shapes(self._dimensions).values())[:4], torch.Size((2, HIDDEN + 1))]
        parts = torch.split(torch.from_numpy(vector), [shape.numel() for shape in shapes])
        return _Layers(*(part.view(*shape) for part, shape in zip(parts, shapes, strict=True)))


def compile_step() -> None:
    """Compile what a step runs, which takes seconds on a new machine: before a task comes, and none is charged yet."""
    silent = {name: np.zeros(shape, np.float32) for name, shape in parameter_shapes(1).items()}
    PlainClassifier(silent, 1).step([np.zeros((1, 1), np.float32)], np.zeros(1, np.float32), 1.0, 0.0)


@dataclass(frozen=True, slots=True)
class _Arrived:
    """What a batch's loss leaves in the backward pass. Sensitive.

    Attributes:
        at_gates: Its gradients at the gates' arguments, shape (TN, 4H).
        hidden_before: States before each word, shape (TN, H).
        at_head: Its gradients at the head, shape (2, H + 1).
    """

    at_gates: Tensor
    hidden_before: Tensor
    at_head: Tensor


def _backpropagate(
    layers: _Layers, embedded: Tensor, lengths: NDArray[np.int64], labels: Floats, vishing_weight: float
) -> _Arrived:
    words, calls = embedded.shape[:2]
    bias = layers.bias_of_words + layers.bias_of_hidden
    gates = torch.addmm(bias, embedded.flatten(0, 1), layers.from_words.t())
    by_word = gates.numpy().reshape(words, calls, GATES)
    cells, hidden = np.zeros((2, words + 1, calls, HIDDEN), np.float32)
    squashed, arriving = np.empty((words, calls, HIDDEN), np.float32), np.zeros((words, calls, HIDDEN), np.float32)
    at_cells, at_head = np.zeros((calls, HIDDEN), np.float32), np.zeros((2, HIDDEN + 1), np.float32)
    run_forward(by_word, layers.from_hidden.t().contiguous().numpy(), cells, squashed, hidden)
    run_head(hidden, lengths, labels, float(vishing_weight), layers.head.numpy(), arriving, at_head)
    run_backward(by_word, layers.from_hidden.numpy(), cells, squashed, arriving, at_cells)
    return _Arrived(gates, torch.from_numpy(hidden[:-1].reshape(-1, HIDDEN)), torch.from_numpy(at_head))


def _side_by_side(calls: Sequence[Floats]) -> tuple[Tensor, NDArray[np.int64]]:
    """Return calls as one tensor (T, N, D), padded on the right, and their lengths; a call of zeros makes N even."""
    lengths = np.array([len(words) for words in calls])
    embedded = np.empty((lengths.max(), len(calls) + len(calls) % 2, calls[0].shape[1]), np.float32)
    embedded[:, len(calls) :] = 0
    for place, words in enumerate(calls):
        embedded[: len(words), place] = words
        embedded[len(words) :, place] = 0
    return torch.from_numpy(embedded), lengths
