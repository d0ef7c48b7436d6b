"""The open LSTM against torch's: the same states, and gate gradients that add up to the same weight gradients."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from models.detector.recurrence import LstmWeights, Recurrence

UNITS, DIMENSIONS = 5, 3

sizes = st.tuples(st.integers(1, 17), st.integers(1, 6))


def made(calls: int, words: int, scale: float = 1.0):
    """Return torch's layer, the same weights for ours, and embedded words (T, N, D)."""
    torch.manual_seed(100 * calls + words)
    lstm = nn.LSTM(DIMENSIONS, UNITS)
    with torch.no_grad():
        for parameter in lstm.parameters():
            parameter.mul_(scale)
    from_words, from_hidden, *biases = (parameter.detach() for parameter in lstm.parameters())
    return lstm, LstmWeights(from_words, from_hidden, sum(biases)), torch.randn(words, calls, DIMENSIONS)


def hidden_states(weights: LstmWeights, embedded: torch.Tensor) -> torch.Tensor:
    return Recurrence(*embedded.shape[:2], UNITS).run_forward(embedded, weights)


def weight_gradients(lstm: nn.LSTM, embedded: torch.Tensor, arriving: torch.Tensor) -> list[torch.Tensor]:
    return list(torch.autograd.grad(lstm(embedded)[0], list(lstm.parameters()), arriving))


def weight_gradients_of_ours(weights: LstmWeights, embedded: torch.Tensor, arriving: torch.Tensor):
    recurrence = Recurrence(*embedded.shape[:2], UNITS)
    recurrence.run_forward(embedded, weights)
    at_gates = recurrence.gate_gradients(arriving, weights.from_hidden)
    bias = at_gates.sum((0, 1))
    inputs = (embedded, recurrence.hidden_before)
    return [*(torch.einsum("tng,tni->gi", at_gates, given) for given in inputs), bias, bias]


@settings(max_examples=30)
@given(sizes)
def test_hidden_states_are_those_of_torchs_lstm(size):
    lstm, weights, embedded = made(*size)
    assert torch.allclose(hidden_states(weights, embedded), lstm(embedded)[0], atol=1e-6)


@settings(max_examples=30)
@given(sizes)
def test_gate_gradients_add_up_to_the_weight_gradients_of_torchs_lstm(size):
    lstm, weights, embedded = made(*size)
    arriving = torch.randn_like(lstm(embedded)[0])
    for ours, theirs in zip(
        weight_gradients_of_ours(weights, embedded, arriving),
        weight_gradients(lstm, embedded, arriving),
        strict=True,
    ):
        assert torch.allclose(ours, theirs, rtol=1e-4, atol=1e-5)


def test_gates_that_saturate_leave_every_number_finite_and_right():
    lstm, weights, embedded = made(4, 6, scale=200.0)
    arriving = torch.randn(6, 4, UNITS)
    assert torch.allclose(hidden_states(weights, embedded), lstm(embedded)[0], atol=1e-5)
    for ours, theirs in zip(
        weight_gradients_of_ours(weights, embedded, arriving), weight_gradients(lstm, embedded, arriving), strict=True
    ):
        assert torch.isfinite(ours).all()
        assert torch.allclose(ours, theirs, rtol=1e-3, atol=1e-4)


def test_a_word_changes_no_state_before_it():
    _, weights, embedded = made(2, 6)
    changed = embedded.clone()
    changed[4:] += 1.0
    before, after = (hidden_states(weights, words) for words in (embedded, changed))
    assert torch.equal(before[:4], after[:4])
    assert not torch.equal(before[4:], after[4:])


@pytest.mark.parametrize(("calls", "words"), [(0, 4), (0, 0), (2, 0)])
def test_no_call_and_no_word_have_shapes_too(calls, words):
    _, weights, embedded = made(calls, words)
    recurrence = Recurrence(words, calls, UNITS)
    assert recurrence.run_forward(embedded, weights).shape == (words, calls, UNITS)
    arriving = torch.zeros(words, calls, UNITS)
    assert recurrence.gate_gradients(arriving, weights.from_hidden).shape == (words, calls, 4 * UNITS)
