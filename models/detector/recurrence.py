"""One LSTM layer whose backward stops at the gates: what arrives there gives each call's gradient, not only the sum.

Sources: Hochreiter and Schmidhuber 1997; Gers, Schmidhuber and Cummins 2000 for the forget gate.

Speed comes from few and small operations in the loops over words. The product with the words is taken for all of them
beforehand, and so are all factors of the backward that don't depend on later words. The gate g = tanh(a) is kept as
s = sigmoid(2a): one call of sigmoid then does all four gates, where torch's tanh is several times slower, and one
formula, p - p * p, gives all their slopes. The cell c is kept as -c, because then each new state is one ``addcmul``.

N calls, T words, D dimensions, H hidden units; gates in nn.LSTM's order i, f, g, o.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class LstmWeights:
    """Weights as nn.LSTM has them: ``from_words`` (4H, D), ``from_hidden`` (4H, H), the sum of both biases (4H,)."""

    from_words: Tensor
    from_hidden: Tensor
    bias: Tensor


@dataclass(frozen=True, slots=True)
class LstmTrace:
    """What a forward pass leaves for the backward one. Sensitive: it follows from the words that were spoken.

    Attributes:
        gates: i, f, s and o after each word, shape (N, T, 4, H).
        cells: -c before the first word and after each, shape (N, T + 1, H).
        squashed: sigmoid(-2c) after each word, so that tanh(c) = 1 - 2 ``squashed``; shape (N, T, H).
        hidden: Before the first word and after each, shape (N, T + 1, H).
    """

    gates: Tensor
    cells: Tensor
    squashed: Tensor
    hidden: Tensor


CALLS_AT_ONCE = 8
"""Calls whose products are taken together: they stay in the processor's cache."""


def run_forward(embedded: Tensor, weights: LstmWeights) -> LstmTrace:
    """Return the trace of embedded words, shape (N, T, D). The states before the first word are zero."""
    calls, words, _ = embedded.shape
    units = weights.from_hidden.shape[1]
    twice_g = embedded.new_tensor([1.0, 1.0, 2.0, 1.0]).repeat_interleave(units)
    trace = LstmTrace(
        gates=_project(embedded, weights, twice_g).view(calls, words, 4, units),
        cells=embedded.new_zeros(calls, words + 1, units),
        squashed=embedded.new_empty(calls, words, units),
        hidden=embedded.new_zeros(calls, words + 1, units),
    )
    _loop_forward(trace, (weights.from_hidden.t() * twice_g).contiguous())
    return trace


def _project(embedded: Tensor, weights: LstmWeights, twice_g: Tensor) -> Tensor:
    """Return what the words alone put into the gates, shape (N, T, 4H)."""
    matrix, bias = (weights.from_words.t() * twice_g).contiguous(), weights.bias * twice_g
    gates = embedded.new_empty(*embedded.shape[:2], len(bias))
    for some, into in zip(torch.split(embedded, CALLS_AT_ONCE), torch.split(gates, CALLS_AT_ONCE), strict=True):
        torch.addmm(bias, some.flatten(0, 1), matrix, out=into.flatten(0, 1))
    return gates


def _loop_forward(trace: LstmTrace, from_hidden: Tensor) -> None:
    hidden, cells, squashed = (_by_word(states) for states in (trace.hidden, trace.cells, trace.squashed))
    gates = _by_word(trace.gates.flatten(2))
    gate_i, gate_f, gate_s, gate_o = (_by_word(gate) for gate in trace.gates.unbind(2))
    addcmul, minus_written = torch.addcmul, torch.empty_like(trace.cells[:, 0])
    for word in range(len(gates)):
        gates[word].addmm_(hidden[word], from_hidden).sigmoid_()
        addcmul(gate_i[word], gate_i[word], gate_s[word], value=-2, out=minus_written)  # -i * g
        addcmul(minus_written, gate_f[word], cells[word], out=cells[word + 1])
        torch.add(cells[word + 1], cells[word + 1], out=squashed[word]).sigmoid_()
        addcmul(gate_o[word], gate_o[word], squashed[word], value=-2, out=hidden[word + 1])  # o * tanh(c)


def gate_gradients(trace: LstmTrace, hidden_gradients: Tensor, from_hidden: Tensor) -> Tensor:
    """Return gradients at the gates before their activation, shape (N, T, 4H).

    The gradient of ``from_words`` is then the sum over words of gate gradient times word, that of ``from_hidden`` of
    gate gradient times hidden state before the word, and that of either bias of the gate gradient.

    Args:
        trace: Of the forward pass.
        hidden_gradients: Of the loss at each hidden state, not yet through later words; shape (N, T, H). It is zero
            at padding on the right, and so is what is returned.
        from_hidden: Weights (4H, H).
    """
    factors = _gate_factors(trace)  # (N, T, 4, H); the loop turns them into the gate gradients
    gradients = _by_word(factors.flatten(2))
    to_cell, to_hidden = _by_word(factors[:, :, :3]), _by_word(factors[:, :, 3])
    cell_slopes, forgets = _by_word(_cell_slopes(trace)), _by_word(trace.gates[:, :, 1])
    arriving, cell = _by_word(hidden_gradients), torch.zeros_like(trace.cells[:, 0])
    for word in reversed(range(len(arriving))):
        hidden = arriving[word]
        if word + 1 < len(arriving):
            hidden = torch.addmm(hidden, gradients[word + 1], from_hidden)
        cell.addcmul_(hidden, cell_slopes[word])
        to_cell[word].mul_(cell.unsqueeze(1))
        to_hidden[word].mul_(hidden)
        cell.mul_(forgets[word])
    return factors.flatten(2)


def _cell_slopes(trace: LstmTrace) -> Tensor:
    """Return the derivative of each hidden state by its -c, shape (N, T, H)."""
    slopes = torch.addcmul(trace.squashed, trace.squashed, trace.squashed, value=-1)
    return slopes.mul_(trace.gates[:, :, 3]).mul_(-4)


def _gate_factors(trace: LstmTrace) -> Tensor:
    """Return derivatives by each gate's argument, shape (N, T, 4, H): of -c by i, f and g, of the hidden state by o."""
    slopes = torch.addcmul(trace.gates, trace.gates, trace.gates, value=-1)
    (gate_i, _, gate_s, _), (by_i, by_f, by_g, by_o) = trace.gates.unbind(2), slopes.unbind(2)
    by_i.addcmul_(by_i, gate_s, value=-2)
    by_f.mul_(trace.cells[:, :-1])
    by_g.mul_(gate_i).mul_(-4)
    by_o.addcmul_(by_o, trace.squashed, value=-2)
    return slopes


def _by_word(states: Tensor) -> tuple[Tensor, ...]:
    """Return views of each word's states: made all at once, they cost the loop nothing."""
    return states.unbind(1)
