"""The detector's network for plain gradient descent: a batch's gradient goes straight into one vector.

The same mathematics as nn.LSTM's with autograd. Without modules, graph and optimizer a step on a device's few calls
costs little more than its arithmetic, and the gradient of the words, which nobody needs, is not taken.

N calls, T words, D dimensions, H hidden units, P parameters.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.detector.classifier import Classifier
from models.detector.parameters import require_layout
from models.detector.recurrence import LstmTrace, LstmWeights, gate_gradients, run_forward


@dataclass(frozen=True, slots=True)
class _Layers:
    """Views into a vector of shape (P,), in the order of a `Classifier`'s parameters."""

    from_words: Tensor
    from_hidden: Tensor
    bias_of_words: Tensor
    bias_of_hidden: Tensor
    attention: Tensor
    attention_bias: Tensor
    output: Tensor
    output_bias: Tensor


class PlainClassifier:
    """A `Classifier`'s parameters, and the step that moves them.

    Attributes:
        values: The parameters in their order, shape (P,).
    """

    def __init__(self, parameters: Mapping[str, NDArray[np.float32]], dimensions: int) -> None:
        """Copy parameters.

        Raises:
            ModelFileError: Names or shapes differ from those of a `Classifier` for words of so many dimensions.
        """
        layout = _layout(dimensions)
        require_layout(parameters, layout)
        flat = np.concatenate([np.ravel(array) for array in parameters.values()], dtype=np.float32)
        self.values = torch.from_numpy(flat)
        self._gradient = torch.empty_like(self.values)
        self._layers, self._gradients = _split(self.values, layout), _split(self._gradient, layout)

    def step(
        self, embedded: Tensor, lengths: Tensor, labels: Tensor, vishing_weight: float, learning_rate: float
    ) -> None:
        """Take one step of gradient descent on the mean loss, binary cross entropy.

        Args:
            embedded: Words, shape (N, T, D), padded on the right.
            lengths: Of the calls in words, shape (N,).
            labels: 1.0 vishing, 0.0 normal, shape (N,).
            vishing_weight: How much a vishing call weighs against a normal one.
            learning_rate: Factor on the gradient.
        """
        layers = self._layers
        lstm = LstmWeights(layers.from_words, layers.from_hidden, layers.bias_of_words + layers.bias_of_hidden)
        trace = run_forward(embedded, lstm)
        at_head = self._arriving_at_head(trace.hidden[:, 1:], lengths, labels, vishing_weight)
        self._set_gradient(embedded, trace, at_head)
        self.values.add_(self._gradient, alpha=-learning_rate)

    def _arriving_at_head(self, hidden: Tensor, lengths: Tensor, labels: Tensor, vishing_weight: float) -> Tensor:
        """Return the mean loss's gradients at each word's energy, and at the output from each word, shape (N, T, 2).

        The output is linear in the weighted mean of the words: as if each word had an output of its own.
        """
        layers = self._layers
        energies = torch.matmul(hidden, layers.attention[0]).add_(layers.attention_bias)  # (N, T)
        outputs = torch.matmul(hidden, layers.output[0]).add_(layers.output_bias)  # (N, T)
        padding = torch.arange(hidden.shape[1]).unsqueeze(0) >= lengths.unsqueeze(1)
        attention = torch.softmax(energies.masked_fill_(padding, -1e9), dim=1)
        logits = (attention * outputs).sum(1, keepdim=True)  # (N, 1)
        vishing, said = labels.unsqueeze(1), torch.sigmoid(logits)
        at_logits = ((1 - vishing) * said - vishing_weight * vishing * (1 - said)) / len(labels)
        at_outputs = attention * at_logits
        return torch.stack((at_outputs * (outputs - logits), at_outputs), dim=2)

    def _set_gradient(self, embedded: Tensor, trace: LstmTrace, at_head: Tensor) -> None:
        layers, into = self._layers, self._gradients
        at_hidden = at_head @ torch.cat((layers.attention, layers.output))
        at_gates = gate_gradients(trace, at_hidden, layers.from_hidden).flatten(0, 1)  # (NT, 4H)
        torch.mm(at_gates.t(), embedded.flatten(0, 1), out=into.from_words)
        torch.mm(at_gates.t(), trace.hidden[:, :-1].flatten(0, 1), out=into.from_hidden)
        torch.sum(at_gates, 0, out=into.bias_of_words)
        into.bias_of_hidden.copy_(into.bias_of_words)
        by_word = at_head.flatten(0, 1)  # (NT, 2)
        head = by_word.t() @ trace.hidden[:, 1:].flatten(0, 1)  # (2, H)
        into.attention[0], into.output[0] = head
        into.attention_bias[0], into.output_bias[0] = by_word.sum(0)


@lru_cache(maxsize=8)
def _layout(dimensions: int) -> dict[str, torch.Size]:
    """Return the shape of each parameter of a `Classifier`."""
    with torch.device("meta"):
        return {name: parameter.shape for name, parameter in Classifier(dimensions).named_parameters()}


def _split(vector: Tensor, layout: Mapping[str, torch.Size]) -> _Layers:
    parts = torch.split(vector, [shape.numel() for shape in layout.values()])
    return _Layers(*(part.view(shape) for part, shape in zip(parts, layout.values(), strict=True)))
