"""One LSTM layer whose backward stops at the gates: what arrives there gives each call's gradient, not only the sum.

Sources: Hochreiter and Schmidhuber 1997; Gers, Schmidhuber and Cummins 2000 for the forget gate.

Speed comes from few and small operations in the loops over words. The product with the words is taken for all of them
beforehand, and so are all factors of the backward that don't depend on later words. The gate g = tanh(a) is kept as
s = sigmoid(2a): one call of sigmoid then does all four gates, where torch's tanh is several times slower, and one
formula, p - p * p, gives all their slopes. The cell c is kept as -c, because then each new state is one ``addcmul``.
Words come first in all shapes, so that a word's states lie together.

T words, N calls, D dimensions, H hidden units; gates in nn.LSTM's order i, f, g, o.
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


ROWS_AT_ONCE = 512
"""Words whose products are taken together: they stay in the processor's cache."""


class Recurrence:
    """The layer's passes over some calls: a forward one, then a backward one.

    What it holds is sensitive: it follows from the words that were spoken.
    """

    def __init__(self, words: int, calls: int, units: int) -> None:
        """Make the memory for so many calls of so many words."""
        self._gates = torch.empty(words, calls, 4, units)  # i, f, s and o after each word
        self._cells = torch.zeros(words + 1, calls, units)  # -c before the first word and after each
        self._squashed = torch.empty(words, calls, units)  # sigmoid(-2c) after each: tanh(c) = 1 - 2 squashed
        self._hidden = torch.zeros(words + 1, calls, units)  # before the first word and after each
        self._scratch = torch.empty(calls, units)

    @property
    def hidden_before(self) -> Tensor:
        """Hidden states before each word, shape (T, N, H), after the forward pass."""
        return self._hidden[:-1]

    def run_forward(self, embedded: Tensor, weights: LstmWeights) -> Tensor:
        """Return the hidden states after each word, shape (T, N, H). The states before the first word are zero.

        Args:
            embedded: Words, shape (T, N, D).
            weights: The layer's.
        """
        self._project(embedded, weights)
        from_hidden = _with_gate_g_doubled(weights.from_hidden).t()
        addcmul, add, minus_written = torch.addcmul, torch.add, self._scratch
        for word in self._by_word():
            gates, gate_i, gate_f, gate_s, gate_o, squashed, cell, next_cell, hidden, next_hidden = word
            gates.addmm_(hidden, from_hidden).sigmoid_()
            addcmul(gate_i, gate_i, gate_s, value=-2, out=minus_written)  # -i * g
            addcmul(minus_written, gate_f, cell, out=next_cell)
            add(next_cell, next_cell, out=squashed).sigmoid_()
            addcmul(gate_o, gate_o, squashed, value=-2, out=next_hidden)  # o * tanh(c)
        return self._hidden[1:]

    def gate_gradients(self, hidden_gradients: Tensor, from_hidden: Tensor) -> Tensor:
        """Return gradients at the gates before their activation, shape (T, N, 4H), after a forward pass.

        The gradient of ``from_words`` is then the sum over words of gate gradient times word, that of ``from_hidden``
        of gate gradient times hidden state before the word, and that of either bias of the gate gradient.

        Args:
            hidden_gradients: Of the loss at each hidden state, not yet through later words; shape (T, N, H). It is
                zero at padding on the right, and so is what is returned.
            from_hidden: Weights (4H, H).
        """
        backward = _Backward(self._gates, hidden_gradients)
        self._set_factors(backward)
        cell, later = self._scratch.zero_(), None
        cell_of_gates = cell.unsqueeze(1)
        for word in reversed(backward.by_word):
            gradients, to_cell, to_hidden, slopes, forgets, arriving = word
            if later is not None:
                arriving.addmm_(later, from_hidden)
            cell.addcmul_(arriving, slopes)
            to_cell.mul_(cell_of_gates)
            to_hidden.mul_(arriving)
            cell.mul_(forgets)
            later = gradients
        return backward.gradients.flatten(2)

    def _project(self, embedded: Tensor, weights: LstmWeights) -> None:
        """Set what the words alone put into the gates, that of gate g twofold."""
        words, into = embedded.flatten(0, 1), self._gates.view(-1, len(weights.bias))
        for some, of_some in zip(torch.split(words, ROWS_AT_ONCE), torch.split(into, ROWS_AT_ONCE), strict=True):
            torch.addmm(weights.bias, some, weights.from_words.t(), out=of_some)
        self._gates[:, :, 2].mul_(2)

    def _set_factors(self, into: _Backward) -> None:
        """Set derivatives by each gate's argument, of -c by i, f and g, of the hidden state by o; and cells' slopes."""
        gates, squashed = self._gates, self._squashed
        gate_i, _, gate_s, gate_o = gates.unbind(2)
        torch.addcmul(gates, gates, gates, value=-1, out=into.gradients)
        by_i, by_f, by_g, by_o = into.gradients.unbind(2)
        by_i.addcmul_(by_i, gate_s, value=-2)
        by_f.mul_(self._cells[:-1])
        by_g.mul_(gate_i).mul_(-4)
        by_o.addcmul_(by_o, squashed, value=-2)
        torch.addcmul(squashed, squashed, squashed, value=-1, out=into.cell_slopes).mul_(gate_o).mul_(-4)

    def _by_word(self) -> list[tuple[Tensor, ...]]:
        cells, hidden = self._cells.unbind(), self._hidden.unbind()
        gates = (self._gates.flatten(2), *self._gates.unbind(2))
        states = (cells[:-1], cells[1:], hidden[:-1], hidden[1:])
        return list(zip(*(gate.unbind() for gate in gates), self._squashed.unbind(), *states, strict=True))


class _Backward:
    """Memory of the backward pass: not needed as long as batches only go forward."""

    def __init__(self, gates: Tensor, hidden_gradients: Tensor) -> None:
        words, calls, _, units = gates.shape
        self.gradients = torch.empty_like(gates)  # factors at first: the loop turns them into gradients
        self.cell_slopes = torch.empty(words, calls, units)  # derivative of each hidden state by its -c
        arriving = hidden_gradients.clone(
            memory_format=torch.contiguous_format
        )  # the loop adds what comes through later words
        of_gates = (self.gradients.flatten(2), self.gradients[:, :, :3], self.gradients[:, :, 3])
        others = (self.cell_slopes, gates[:, :, 1], arriving)
        self.by_word = list(zip(*(of.unbind() for of in (*of_gates, *others)), strict=True))


def _with_gate_g_doubled(from_hidden: Tensor) -> Tensor:
    """Return weights (4H, H) that put twice as much into gate g."""
    doubled = from_hidden.clone()
    doubled.chunk(4)[2].mul_(2)
    return doubled
