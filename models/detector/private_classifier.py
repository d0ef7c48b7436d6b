"""The detector's network for DP-SGD: each call's own gradient, clipped at once and added up.

The gradient of a weight is a sum over words of what arrives at its output times what went in (Goodfellow 2015): for one
call it is one product of two matrices. It is taken for a few calls together, which are clipped (Abadi et al. 2016) and
added up before the next few are, so that a batch's gradients never stand side by side.

T words, N calls, D dimensions, H hidden units, P parameters.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from models.detector.classifier import HIDDEN, AttentionPooling, Classifier
from models.detector.recurrence import LstmWeights, Recurrence
from models.errors import HearsayError

CALLS_PER_PASS = 64
"""Calls that go through the loop over words together: enough to fill it, few enough to stay in the cache."""

CALLS_AT_ONCE = 8
"""Calls whose gradients are made together: they stay in the processor's cache."""

_BELOW_LIMIT = 1e-6
"""Added to each norm, as Opacus does: no division by zero, and no clipped norm above its limit by rounding."""


_TRANSPOSED = 2
"""The first parameters, the LSTM's matrices, whose gradients are made transposed: that product is the faster one."""


class NoGradientsError(HearsayError):
    """There is no batch to take gradients of, or they were taken already: twice would break the guarantee."""


@dataclass(frozen=True, slots=True)
class _Pass:
    """What calls leave in the forward pass. Sensitive.

    Attributes:
        embedded: Their words, shape (T, N, D).
        recurrence: Has done its forward pass over them.
        hidden: States after each word, shape (T, N, H).
        attention: Weights, shape (N, T).
    """

    embedded: Tensor
    recurrence: Recurrence
    hidden: Tensor
    attention: Tensor


class _SharedLstm(nn.Module):
    """The parameters of an nn.LSTM, not copied, under its names and in its order. Opacus refuses nn.LSTM itself."""

    def __init__(self, lstm: nn.LSTM) -> None:
        super().__init__()
        for name, parameter in lstm.named_parameters():
            self.register_parameter(name, parameter)

    def weights(self) -> LstmWeights:
        from_words, from_hidden, *biases = (parameter.detach() for parameter in self.parameters())
        return LstmWeights(from_words, from_hidden, biases[0] + biases[1])


class PrivateClassifier(nn.Module):
    """A `Classifier`'s parameters, not copied, with gradients that are clipped call by call.

    Autograd goes no further back than the logits: all that lies before them is differentiated here.
    """

    def __init__(self, network: Classifier) -> None:
        super().__init__()
        self.lstm = _SharedLstm(network.lstm)
        self.head = network.head
        self._passes: list[_Pass] = []
        self._logits: Tensor | None = None

    def forward(self, embedded: Tensor, lengths: Tensor) -> Tensor:
        """Return logits (N,) for embedded words (N, T, D), padded on the right, and lengths (N,) in words; N may be 0.

        They are a leaf of autograd: after a loss's ``backward``, `sum_clipped_gradients` does the rest.
        """
        some = zip(torch.split(embedded, CALLS_PER_PASS), torch.split(lengths, CALLS_PER_PASS), strict=True)
        with torch.no_grad():
            done = [self._pass(words, length) for words, length in some]
        self._passes = [one for one, _ in done]
        self._logits = torch.cat([logits for _, logits in done]).requires_grad_()
        return self._logits

    def _pass(self, embedded: Tensor, lengths: Tensor) -> tuple[_Pass, Tensor]:
        words = embedded.transpose(0, 1).contiguous()
        recurrence = Recurrence(len(words), len(embedded), HIDDEN)
        hidden = recurrence.run_forward(words, self.lstm.weights())
        logits, attention = self.head(hidden.transpose(0, 1), lengths)
        return _Pass(words, recurrence, hidden, attention), logits

    @torch.no_grad()
    def sum_clipped_gradients(self, clip_norm: float, *, averaged: bool) -> list[Tensor]:
        """Return the sum over the batch of each call's gradient, clipped to an L2 norm over all parameters.

        The sum is given out once; the batch is then forgotten.

        Args:
            clip_norm: The most that one call's gradient may be, above zero.
            averaged: Whether the loss was the batch's mean; otherwise its sum.

        Returns:
            A tensor a parameter, in order.

        Raises:
            NoGradientsError: No ``backward`` since the last time.
        """
        if self._logits is None or self._logits.grad is None:
            raise NoGradientsError("no backward pass since the last step: there are no gradients to clip")
        arriving = self._logits.grad * (len(self._logits) if averaged else 1)
        passes, self._passes, self._logits = self._passes, [], None
        total = _ClippedSum(self, clip_norm)
        for one, at_logits in zip(passes, torch.split(arriving, CALLS_PER_PASS), strict=True):
            self._add_gradients(one, at_logits, total)
        return total.by_parameter()

    def _add_gradients(self, one: _Pass, at_logits: Tensor, total: _ClippedSum) -> None:
        hidden, from_hidden = one.hidden.transpose(0, 1), self.lstm.weights().from_hidden  # (N, T, H)
        at_head = _arriving_at_head(self.head, hidden, one.attention, at_logits)  # (N, T, 2)
        head_weights = torch.cat((self.head.attention.weight, self.head.output.weight))  # (2, H)
        at_gates = one.recurrence.gate_gradients((at_head @ head_weights).transpose(0, 1), from_hidden)  # (T, N, 4H)
        bias = at_gates.sum(0)
        head = torch.cat((at_head.mT @ hidden, at_head.sum(1).unsqueeze(2)), dim=2)  # (N, 2, H + 1)
        total.add(one.embedded, one.recurrence.hidden_before, at_gates, torch.cat((bias, bias, head.flatten(1)), dim=1))


def _arriving_at_head(head: AttentionPooling, hidden: Tensor, attention: Tensor, at_logits: Tensor) -> Tensor:
    """Return the gradients at each word's energy, and at the output from each word, shape (N, T, 2).

    The output is linear in the weighted mean of the words, and hence in the words: as if each had an output of its own
    to which its attention weight's share of the gradient arrives. So either layer of the head is linear in the words.
    """
    at_outputs = attention * at_logits.unsqueeze(1)  # (N, T)
    outputs = (hidden @ head.output.weight.mT).squeeze(2)  # (N, T)
    mean = (attention * outputs).sum(1, keepdim=True)
    return torch.stack((at_outputs * (outputs - mean), at_outputs), dim=2)


class _ClippedSum:
    """Adds up clipped gradients, a flat row a call; the next few calls take the rows of the last few.

    A row holds the parameters in order.
    """

    def __init__(self, classifier: PrivateClassifier, clip_norm: float) -> None:
        self._clip_norm = clip_norm
        self._shapes = [parameter.shape for parameter in classifier.parameters()]
        sizes = [shape.numel() for shape in self._shapes]
        self._rows = torch.empty(CALLS_AT_ONCE, sum(sizes))
        self._total = torch.zeros(sum(sizes))
        matrices = sizes[:_TRANSPOSED]
        *by_matrix, self._rest = torch.split(self._rows, [*matrices, sum(sizes) - sum(matrices)], dim=1)
        self._by_words, self._by_hidden = (
            part.view(CALLS_AT_ONCE, *shape[::-1]) for part, shape in zip(by_matrix, self._shapes, strict=False)
        )

    def add(self, embedded: Tensor, hidden: Tensor, at_gates: Tensor, rest: Tensor) -> None:
        """Add calls.

        Args:
            embedded: Their words, shape (T, N, D).
            hidden: States before each word, shape (T, N, H).
            at_gates: Gradients at the gates, shape (T, N, 4H).
            rest: Gradients of all parameters but the LSTM's matrices, a flat row a call.
        """
        parts = (torch.split(part.transpose(0, 1), CALLS_AT_ONCE) for part in (embedded, hidden, at_gates))
        for words, before, gates, others in zip(*parts, torch.split(rest, CALLS_AT_ONCE), strict=True):
            rows = slice(len(words))
            torch.bmm(words.mT, gates, out=self._by_words[rows])
            torch.bmm(before.mT, gates, out=self._by_hidden[rows])
            self._rest[rows] = others
            norms = torch.linalg.vector_norm(self._rows[rows], dim=1)
            factors = (self._clip_norm / (norms + _BELOW_LIMIT)).clamp_(max=1.0)
            self._total.addmv_(self._rows[rows].t(), factors)

    def by_parameter(self) -> list[Tensor]:
        """Return the sum as a tensor a parameter, in order."""
        parts = torch.split(self._total, [shape.numel() for shape in self._shapes])
        return [
            part.view(shape[::-1]).t().contiguous() if place < _TRANSPOSED else part.view(shape)
            for place, (part, shape) in enumerate(zip(parts, self._shapes, strict=True))
        ]
