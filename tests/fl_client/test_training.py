"""Training on one device: what it learns, and what may leave it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from fl_client.training import LabelledWords, train_on_device
from models.detector.classifier import Classifier
from models.detector.parameters import write_parameters
from models.errors import UpdateRefusedError
from models.privacy.vectors import flatten, unflatten
from tests.small_federation import CALL_PRIVACY, DIMENSIONS, PARAMETERS, TASK, some_calls, start_parameters

PLAIN = replace(TASK, clip_norm=None, longest_words=8, shortest_words=8)
"""Neither clipped nor cut: calls have 8 words."""


def norm_of(update) -> float:
    return float(np.linalg.norm(update))


def silent_call() -> LabelledWords:
    return LabelledWords(np.zeros((0, DIMENSIONS), np.float32), 1)


@pytest.mark.parametrize("calls", [[], [silent_call()]], ids=["none", "one without words"])
@pytest.mark.parametrize("call_privacy", [None, CALL_PRIVACY])
def test_a_device_with_nothing_to_train_on_sends_zeros_of_the_same_layout(calls, call_privacy):
    result = train_on_device(start_parameters(), calls, replace(TASK, call_privacy=call_privacy), device=0)
    assert np.array_equal(result.update, np.zeros(PARAMETERS, np.float32))
    assert result.update.dtype == np.float32
    assert (result.norm, result.call_steps) == (0.0, None)


def test_one_step_on_one_batch_moves_against_the_gradient():
    """The update of a plain step is minus the learning rate times the gradient of the mean loss, by torch itself."""
    calls = some_calls(4)
    network = Classifier(DIMENSIONS)
    write_parameters(network, start_parameters())
    embedded = torch.from_numpy(np.stack([call.embedded for call in calls]))
    labels = torch.tensor([float(call.label) for call in calls])
    binary_cross_entropy_with_logits(network(embedded, torch.full((4,), 8))[0], labels).backward()
    update = unflatten(train_on_device(start_parameters(), calls, PLAIN, device=0).update, start_parameters())
    for name, parameter in network.named_parameters():
        assert update[name] == pytest.approx(-PLAIN.learning_rate * parameter.grad.numpy(), abs=1e-6)


def test_training_lowers_the_loss_on_the_devices_own_calls():
    calls, start = some_calls(8), start_parameters()

    def loss_after(parameters) -> float:
        network = Classifier(DIMENSIONS)
        write_parameters(network, parameters)
        embedded = torch.from_numpy(np.stack([call.embedded for call in calls]))
        labels = torch.tensor([float(call.label) for call in calls])
        return float(binary_cross_entropy_with_logits(network(embedded, torch.full((8,), 8))[0], labels))

    update = train_on_device(start, calls, replace(PLAIN, epochs=20), device=0).update
    assert loss_after(unflatten(flatten(start) + update, start)) < 0.8 * loss_after(start)


@pytest.mark.parametrize("call_privacy", [None, CALL_PRIVACY])
def test_an_update_that_leaves_is_never_longer_than_the_clipping_norm(call_privacy):
    task = replace(TASK, clip_norm=0.01, epochs=3, call_privacy=call_privacy)
    result = train_on_device(start_parameters(), some_calls(6), task, device=0)
    assert result.norm > 0.02
    assert norm_of(result.update) <= 0.01 * (1 + 1e-6)  # float32 on the wire


def test_clipping_only_shortens_the_update():
    plain = train_on_device(start_parameters(), some_calls(6), PLAIN, device=0)
    clipped = train_on_device(start_parameters(), some_calls(6), replace(PLAIN, clip_norm=0.01), device=0)
    assert plain.norm == clipped.norm == pytest.approx(norm_of(plain.update), rel=1e-6)
    assert clipped.update == pytest.approx(plain.update * 0.01 / plain.norm, abs=1e-8)


def test_training_that_diverges_sends_nothing():
    calls = [LabelledWords(np.full((8, DIMENSIONS), np.inf, np.float32), 1)]
    with pytest.raises(UpdateRefusedError) as refused:
        train_on_device(start_parameters(), calls, TASK, device=0)
    assert refused.value.fate == "not_finite"


@pytest.mark.parametrize("call_privacy", [None, CALL_PRIVACY])
def test_a_seeded_training_repeats_bit_for_bit_whatever_else_drew_random_numbers(call_privacy):
    task = replace(TASK, call_privacy=call_privacy)
    updates = []
    for other_seed in (1, 2):
        torch.manual_seed(other_seed)
        np.random.seed(other_seed)
        updates.append(train_on_device(start_parameters(), some_calls(6), task, device=3).update)
    assert updates[0].tobytes() == updates[1].tobytes()


@pytest.mark.parametrize("call_privacy", [None, CALL_PRIVACY])
@pytest.mark.parametrize("other", [{"device": 4}, {"round_number": 2}, {"seed": 8}], ids=["device", "round", "seed"])
def test_another_device_round_or_seed_draws_other_numbers(call_privacy, other):
    task = replace(TASK, call_privacy=call_privacy)
    first = train_on_device(start_parameters(), some_calls(6), task, device=3).update
    changed = replace(task, **{name: value for name, value in other.items() if name != "device"})
    second = train_on_device(start_parameters(), some_calls(6), changed, device=other.get("device", 3)).update
    assert not np.array_equal(first, second)


@pytest.mark.parametrize("call_privacy", [None, CALL_PRIVACY])
def test_trainings_without_a_seed_differ_even_after_equal_global_seeds(call_privacy):
    """Without noise they differ by where calls are cut: 20 calls to the same lengths, of 5 each, once in 10^14 runs."""
    task = replace(TASK, seed=None, call_privacy=call_privacy)
    updates = []
    for _ in range(2):
        torch.manual_seed(1)
        np.random.seed(1)
        updates.append(train_on_device(start_parameters(), some_calls(20), task, device=3).update)
    assert not np.array_equal(*updates)


def test_calls_of_unequal_length_are_trained_as_if_each_stood_alone():
    """Padding changes nothing: one step on two calls is the mean of the steps on each."""
    short = LabelledWords(some_calls(1, seed=5)[0].embedded[:3], 0)
    long = LabelledWords(some_calls(2, seed=6)[1].embedded, 1)
    both = train_on_device(start_parameters(), [short, long], PLAIN, device=0).update
    alone = [train_on_device(start_parameters(), [call], PLAIN, device=0).update for call in (short, long)]
    assert both == pytest.approx((alone[0] + alone[1]) / 2, abs=1e-6)


def test_calls_are_cut_within_the_tasks_words():
    """With every call cut to its first 2 words, what follows them has no part in the update."""
    task = replace(TASK, shortest_words=2, longest_words=2)
    calls = some_calls(3)
    same_start = [
        LabelledWords(np.concatenate([call.embedded[:2], 9 * call.embedded[2:]]), call.label) for call in calls
    ]
    first = train_on_device(start_parameters(), calls, task, device=0).update
    second = train_on_device(start_parameters(), same_start, task, device=0).update
    assert first.tobytes() == second.tobytes()
