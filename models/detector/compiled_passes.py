"""What plain training does word by word, compiled: the LSTM's two passes, and what lies between them.

A device's few calls are too little work for a library's operations: calling those takes longer than the arithmetic. The
large products over all words stay with torch.

Sources: Hochreiter and Schmidhuber 1997; Gers, Schmidhuber and Cummins 2000 for the forget gate; Cody and Waite 1980
for the exponential.

T words, N calls, an even number, H hidden units; all arrays are float32 and contiguous, words come first. Gates stand
in nn.LSTM's order i, f, g, o.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from models.detector.compiling import compiled_with

Floats = NDArray[np.float32]

_compiled = compiled_with("contract")
"""Product and sum may be rounded once, as processors do them."""

_sum_compiled = compiled_with("contract", "reassoc")
"""Numbers may be added up in another order."""


UNITS = 64
"""The detector's; known beforehand, which makes the products 1.4 to 1.7 times as fast.

It stands here, and not in another file: what is kept on disk is compiled anew only where this file changes.
"""

GATES = 4 * UNITS
"""Arguments of all gates of a call at a word."""

_TWO, _ONE, _HALF = np.float32(2), np.float32(1), np.float32(0.5)
_PER_LN2, _LN2_HIGH, _LN2_LOW = np.float32(1 / math.log(2)), np.float32(0.693359375), np.float32(-2.12194440e-4)
_TAYLOR_3, _TAYLOR_4, _TAYLOR_5, _TAYLOR_6, _TAYLOR_7 = (np.float32(1 / math.factorial(n)) for n in (3, 4, 5, 6, 7))
_FAR = np.float32(87)
"""The exponential of anything further from zero isn't a normal float32."""

_ROUNDING = np.float32(3 * 2**22)
"""Added to a small number, it leaves the nearest whole number in the lowest bits."""

_BITS_OF_ONE, _MANTISSA_BITS = np.int32(0x3F800000), np.int32(23)


@_compiled
def _exponential(x: np.float32) -> np.float32:
    """Return e**x within 2e-7 of it: two to a whole power, made of its bits, times a series for the rest.

    Without a branch and a call, so that the processor works on many numbers at once.
    """
    x = min(max(x, -_FAR), _FAR)
    shifted = x * _PER_LN2 + _ROUNDING
    power = shifted - _ROUNDING
    rest = x - power * _LN2_HIGH - power * _LN2_LOW
    series = (((_TAYLOR_7 * rest + _TAYLOR_6) * rest + _TAYLOR_5) * rest + _TAYLOR_4) * rest + _TAYLOR_3
    series = (series * rest + _HALF) * (rest * rest) + rest + _ONE
    bits = np.int32(np.float32(shifted).view(np.int32) << _MANTISSA_BITS)
    return series * np.int32(bits + _BITS_OF_ONE).view(np.float32)


@_compiled
def _sigmoid(x: np.float32) -> np.float32:
    return _ONE / (_ONE + _exponential(-x))


@_compiled
def _tanh(x: np.float32) -> np.float32:
    return _TWO * _sigmoid(_TWO * x) - _ONE


@_compiled
def _add_products(rows: Floats, weights: Floats, inputs: int, outputs: int, into: Floats) -> None:
    """Add the product of rows (N, inputs) and weights (inputs, outputs), two calls and four inputs at a time."""
    for call in range(0, len(rows), 2):
        for place in range(0, inputs, 4):
            a0, a1, a2, a3 = rows[call, place], rows[call, place + 1], rows[call, place + 2], rows[call, place + 3]
            b0, b1 = rows[call + 1, place], rows[call + 1, place + 1]
            b2, b3 = rows[call + 1, place + 2], rows[call + 1, place + 3]
            for output in range(outputs):
                w0, w1 = weights[place, output], weights[place + 1, output]
                w2, w3 = weights[place + 2, output], weights[place + 3, output]
                into[call, output] += a0 * w0 + a1 * w1 + a2 * w2 + a3 * w3
                into[call + 1, output] += b0 * w0 + b1 * w1 + b2 * w2 + b3 * w3


@_sum_compiled
def _inner_product(weights: Floats, state: Floats) -> np.float32:
    total = np.float32(0)
    for unit in range(UNITS):
        total += weights[unit] * state[unit]
    return total


@_compiled
def run_forward(gates: Floats, from_hidden: Floats, cells: Floats, squashed: Floats, hidden: Floats) -> None:
    """Set the states after each word.

    Args:
        gates: What the words alone put into the gates, shape (T, N, 4H); afterwards the gates.
        from_hidden: Weights (H, 4H).
        cells: Before the first word, zeros, and after each, shape (T + 1, N, H).
        squashed: tanh of the cells after each word, shape (T, N, H).
        hidden: Before the first word, zeros, and after each, shape (T + 1, N, H).
    """
    for word in range(len(gates)):
        _add_products(hidden[word], from_hidden, UNITS, GATES, gates[word])
        for call in range(gates.shape[1]):
            gate, before, after = gates[word, call], cells[word, call], cells[word + 1, call]
            tanh_of_cell, state = squashed[word, call], hidden[word + 1, call]
            for unit in range(GATES):
                gate[unit] = _tanh(gate[unit]) if 2 * UNITS <= unit < 3 * UNITS else _sigmoid(gate[unit])
            for unit in range(UNITS):
                kept, new = gate[UNITS + unit] * before[unit], gate[unit] * gate[2 * UNITS + unit]
                after[unit] = kept + new
                tanh_of_cell[unit] = _tanh(after[unit])
                state[unit] = gate[3 * UNITS + unit] * tanh_of_cell[unit]


@_compiled
def run_backward(
    gates: Floats, from_hidden: Floats, cells: Floats, squashed: Floats, arriving: Floats, at_cells: Floats
) -> None:
    """Set the loss's gradients at the gates' arguments, after a forward pass.

    Args:
        gates: As the forward pass left them, shape (T, N, 4H); afterwards the gradients.
        from_hidden: Weights (4H, H).
        cells: As the forward pass left them.
        squashed: As the forward pass left them.
        arriving: Gradients at the states after each word, not yet through later words, shape (T, N, H); those through
            later words are added.
        at_cells: Zeros, shape (N, H), to work in.
    """
    for word in range(len(gates) - 1, -1, -1):
        if word + 1 < len(gates):
            _add_products(gates[word + 1], from_hidden, GATES, UNITS, arriving[word])
        for call in range(gates.shape[1]):
            gate, before, tanh_of_cell = gates[word, call], cells[word, call], squashed[word, call]
            at_state, at_next = arriving[word, call], at_cells[call]
            for unit in range(UNITS):
                i, f, g, o = gate[unit], gate[UNITS + unit], gate[2 * UNITS + unit], gate[3 * UNITS + unit]
                squash = tanh_of_cell[unit]
                at_cell = at_next[unit] + at_state[unit] * o * (_ONE - squash * squash)
                gate[unit] = at_cell * g * i * (_ONE - i)
                gate[UNITS + unit] = at_cell * before[unit] * f * (_ONE - f)
                gate[2 * UNITS + unit] = at_cell * i * (_ONE - g * g)
                gate[3 * UNITS + unit] = at_state[unit] * squash * o * (_ONE - o)
                at_next[unit] = at_cell * f


@_compiled
def run_head(
    hidden: Floats,
    lengths: NDArray[np.int64],
    labels: Floats,
    vishing_weight: float,
    head: Floats,
    arriving: Floats,
    at_head: Floats,
) -> None:
    """Set the gradients of the calls' mean loss, binary cross entropy, at the states after each word and at the head.

    The output is linear in the weighted mean of the words: as if each word had an output of its own.

    Args:
        hidden: Before the first word and after each, shape (T + 1, N, H).
        lengths: Words of each call, at least 1; shape (n,), where n is N, or less by the call that makes N even.
        labels: 1.0 vishing, 0.0 normal, shape (n,).
        vishing_weight: How much a vishing call weighs against a normal one.
        head: Weights and bias of attention and of output, shape (2, H + 1).
        arriving: Zeros, shape (T, N, H); afterwards the gradients at the states, not through later words.
        at_head: Zeros, shape (2, H + 1); afterwards the gradients.
    """
    energies, outputs = np.empty(len(arriving), np.float32), np.empty(len(arriving), np.float32)
    for call in range(len(lengths)):
        words, label = lengths[call], labels[call]
        for word in range(words):
            state = hidden[word + 1, call]
            energies[word] = _inner_product(head[0], state) + head[0, UNITS]
            outputs[word] = _inner_product(head[1], state) + head[1, UNITS]
        attention = np.exp(energies[:words] - energies[:words].max())
        attention /= attention.sum()
        logit = (attention * outputs[:words]).sum()
        likelihood = 1 / (1 + math.exp(-logit))
        at_logit = (likelihood * (1 + (vishing_weight - 1) * label) - vishing_weight * label) / len(lengths)
        for word in range(words):
            at_output = np.float32(attention[word] * at_logit)
            at_energy = np.float32(at_output * (outputs[word] - logit))
            state, at_state = hidden[word + 1, call], arriving[word, call]
            for unit in range(UNITS):
                at_state[unit] = at_energy * head[0, unit] + at_output * head[1, unit]
                at_head[0, unit] += at_energy * state[unit]
                at_head[1, unit] += at_output * state[unit]
            at_head[0, UNITS] += at_energy
            at_head[1, UNITS] += at_output
