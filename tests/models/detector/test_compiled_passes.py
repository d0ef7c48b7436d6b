"""The compiled passes against torch's LSTM and autograd, number by number."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits

from models.detector import compiled_passes
from models.detector.classifier import HIDDEN, AttentionPooling
from models.detector.compiled_passes import GATES, UNITS, run_backward, run_forward, run_head

DIMENSIONS = 3

sizes = st.tuples(st.integers(1, 17), st.sampled_from([2, 4, 6]))


class Passes:
    """Both passes over random words, by ours and by torch's layer."""

    def __init__(self, words: int, calls: int, scale: float = 1.0) -> None:
        torch.manual_seed(100 * calls + words)
        self.lstm = nn.LSTM(DIMENSIONS, HIDDEN)
        with torch.no_grad():
            for parameter in self.lstm.parameters():
                parameter.mul_(scale)
        self.embedded = torch.randn(words, calls, DIMENSIONS)
        from_words, self.from_hidden, *biases = (parameter.detach() for parameter in self.lstm.parameters())
        self.gates = (self.embedded @ from_words.t() + sum(biases)).numpy()
        self.cells, self.hidden = np.zeros((2, words + 1, calls, HIDDEN), np.float32)
        self.squashed = np.empty((words, calls, HIDDEN), np.float32)
        by_input = self.from_hidden.t().contiguous().numpy()
        run_forward(self.gates, by_input, self.cells, self.squashed, self.hidden)

    def gate_gradients(self, arriving: torch.Tensor) -> torch.Tensor:
        at_cells = np.zeros(arriving.shape[1:], np.float32)
        weights = self.from_hidden.numpy()
        run_backward(self.gates, weights, self.cells, self.squashed, arriving.numpy().copy(), at_cells)
        return torch.from_numpy(self.gates)

    def weight_gradients(self, arriving: torch.Tensor) -> list[torch.Tensor]:
        at_gates = self.gate_gradients(arriving)
        inputs = (self.embedded, torch.from_numpy(self.hidden[:-1]))
        bias = at_gates.sum((0, 1))
        return [*(torch.einsum("tng,tni->gi", at_gates, given) for given in inputs), bias, bias]

    def weight_gradients_of_torch(self, arriving: torch.Tensor) -> list[torch.Tensor]:
        return list(torch.autograd.grad(self.lstm(self.embedded)[0], list(self.lstm.parameters()), arriving))


@settings(max_examples=30, deadline=None)
@given(sizes)
def test_states_are_those_of_torchs_lstm(size):
    passes = Passes(*size)
    assert torch.allclose(torch.from_numpy(passes.hidden[1:]), passes.lstm(passes.embedded)[0], atol=1e-6)


@settings(max_examples=30, deadline=None)
@given(sizes)
def test_gate_gradients_add_up_to_the_weight_gradients_of_torchs_lstm(size):
    passes, arriving = Passes(*size), torch.randn(*size, HIDDEN)
    theirs = passes.weight_gradients_of_torch(arriving)
    for ours, of_torch in zip(passes.weight_gradients(arriving), theirs, strict=True):
        assert torch.allclose(ours, of_torch, rtol=1e-4, atol=2e-5)


def test_gates_that_saturate_leave_every_number_finite_and_right():
    passes, arriving = Passes(6, 4, scale=100.0), torch.randn(6, 4, HIDDEN)
    assert torch.allclose(torch.from_numpy(passes.hidden[1:]), passes.lstm(passes.embedded)[0], atol=1e-3)
    theirs = passes.weight_gradients_of_torch(arriving)
    for ours, of_torch in zip(passes.weight_gradients(arriving), theirs, strict=True):
        assert torch.isfinite(ours).all()
        assert float((ours - of_torch).abs().max()) < 1e-3 * float(of_torch.abs().max())


@pytest.mark.parametrize("function", ["_sigmoid", "_tanh"])
def test_a_gate_is_within_rounding_of_the_exact_one(function):
    exact = {"_sigmoid": lambda x: 1 / (1 + np.exp(-x)), "_tanh": np.tanh}[function]
    compiled = getattr(compiled_passes, function)
    arguments = [*np.linspace(-20, 20, 4001, dtype=np.float32), np.float32(-1e30), np.float32(1e30), np.float32(0)]
    with np.errstate(over="ignore"):
        errors = [abs(float(compiled(x)) - float(exact(np.float64(x)))) for x in arguments]
    assert max(errors) < 3e-7


def test_the_exponential_is_within_2e_7_of_the_exact_one():
    arguments = np.linspace(-80, 80, 5001, dtype=np.float32)
    exact = np.exp(arguments.astype(np.float64))
    ours = np.array([compiled_passes._exponential(x) for x in arguments], np.float64)
    assert float(np.abs(ours / exact - 1).max()) < 2e-7


def test_a_number_that_is_none_stays_none():
    """Training that diverges must be seen: nothing leaves the device then."""
    passes = Passes(3, 2)
    passes.gates[:], passes.hidden[0] = 1.0, np.nan
    run_forward(passes.gates, passes.from_hidden.t().contiguous().numpy(), passes.cells, passes.squashed, passes.hidden)
    assert np.isnan(passes.gates).all()


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 12), min_size=1, max_size=6), st.sampled_from([1.0, 3.0]), st.sampled_from([0.0, 200.0]))
def test_the_head_sends_back_what_autograd_sends(lengths, vishing_weight, shift):
    torch.manual_seed(sum(lengths))
    words, calls = max(lengths), len(lengths) + len(lengths) % 2
    head, labels = AttentionPooling(), np.arange(len(lengths), dtype=np.float32) % 2
    hidden = torch.randn(words + 1, calls, HIDDEN)
    with torch.no_grad():
        head.attention.bias.add_(shift)  # changes no weight, but takes energies' exponentials out of float32's range
    states = hidden[1:, : len(lengths)].clone().requires_grad_()
    logits = head(states.transpose(0, 1), torch.tensor(lengths))[0]
    loss = binary_cross_entropy_with_logits(logits, torch.from_numpy(labels), pos_weight=torch.tensor(vishing_weight))
    loss.backward()
    rows = [torch.cat((layer.weight[0], layer.bias)).detach() for layer in (head.attention, head.output)]
    arriving, at_head = np.zeros((words, calls, HIDDEN), np.float32), np.zeros((2, HIDDEN + 1), np.float32)
    run_head(hidden.numpy(), np.array(lengths), labels, vishing_weight, torch.stack(rows).numpy(), arriving, at_head)
    assert torch.allclose(torch.from_numpy(arriving[:, : len(lengths)]), states.grad, atol=1e-5 if shift else 1e-7)
    assert not arriving[:, len(lengths) :].any()
    theirs = [torch.cat((layer.weight.grad[0], layer.bias.grad)) for layer in (head.attention, head.output)]
    assert torch.allclose(torch.from_numpy(at_head), torch.stack(theirs), atol=1e-4 if shift else 1e-6)


def test_they_are_compiled_for_the_detectors_number_of_units():
    assert (UNITS, GATES) == (HIDDEN, 4 * HIDDEN)
