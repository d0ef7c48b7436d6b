"""DP-SGD on the device, held against Opacus's own optimizer and against plain torch, call by call."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from opacus import PrivacyEngine
from torch.nn.functional import binary_cross_entropy_with_logits
from torch.utils.data import DataLoader, TensorDataset

from fl_client.private_training import train_privately
from models.detector.classifier import Classifier
from models.detector.parameters import read_parameters, write_parameters
from models.domain.privacy import CallPrivacy
from models.domain.training import LocalTask
from models.privacy.vectors import flatten
from tests.noise_scale import is_gaussian_noise
from tests.opacus_detector import OpacusDetector
from tests.small_federation import DIMENSIONS, start_parameters
from tests.small_federation import TASK as SMALL_TASK

WORDS = 5
NO_NOISE = 1e-12
"""A multiplier below half a spacing of the grid: all noise is rounded to zero."""


def private_task(**changes: float) -> LocalTask:
    privacy = CallPrivacy(clip_norm=0.1, noise_multiplier=NO_NOISE, batch_calls=4, delta=1e-5)
    return replace(SMALL_TASK, learning_rate=1.0, call_privacy=replace(privacy, **changes))


def some_batch(calls: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(calls)
    embedded = torch.randn((calls, WORDS, DIMENSIONS), generator=generator)
    lengths = torch.randint(1, WORDS + 1, (calls,), generator=generator)
    return embedded * (torch.arange(WORDS) < lengths[:, None])[..., None], lengths, torch.arange(calls) % 2 * 1.0


def start_network() -> Classifier:
    network = Classifier(DIMENSIONS)
    write_parameters(network, start_parameters())
    return network


def update_of(task: LocalTask, calls: int, seed: int = 1):
    """Return the update of one private training, shape (P,), and the steps that it charges."""
    network = start_network()
    steps = train_privately(network, *some_batch(calls), task, np.random.default_rng(seed))
    return flatten(read_parameters(network)) - flatten(start_parameters()), steps


def clipped_step(calls: int, clip_norm: float) -> np.ndarray:
    """Return the step of DP-SGD without noise by plain torch: each call alone, clipped, added up, over the batch."""
    total = np.zeros_like(flatten(start_parameters()))
    for embedded, length, label in zip(*some_batch(calls), strict=True):
        network = start_network()
        logits, _ = network(embedded[None], length[None])
        binary_cross_entropy_with_logits(logits, label[None]).backward()
        gradient = flatten({name: value.grad.numpy() for name, value in network.named_parameters()})
        total += gradient * min(1.0, clip_norm / np.linalg.norm(gradient))
    return -total / calls


@pytest.mark.parametrize("clip_norm", [0.05, 0.3, 100.0], ids=["all clipped", "some clipped", "none clipped"])
def test_a_step_is_the_sum_of_each_calls_clipped_gradient(clip_norm):
    update, _ = update_of(private_task(clip_norm=clip_norm), calls=4)
    assert update == pytest.approx(clipped_step(4, clip_norm), abs=1e-6)


@pytest.mark.parametrize("other_norm", [0.065, 0.035, 100.0], ids=["30 % more", "30 % less", "no clip"])
def test_a_wrong_or_missing_clip_is_caught(other_norm):
    update, _ = update_of(private_task(clip_norm=other_norm), calls=4)
    assert update != pytest.approx(clipped_step(4, 0.05), abs=1e-6)


def test_one_call_moves_the_clipped_sum_by_no_more_than_the_clipping_norm():
    """Batches of one: the sum that noise is added to, seen through learning rate 1."""
    for seed in range(5):
        update, _ = update_of(private_task(clip_norm=0.05, batch_calls=1), calls=1, seed=seed)
        assert 0.9 * 0.05 < np.linalg.norm(update) <= 0.05 * (1 + 1e-6)


def train_with_opacus_alone(task: LocalTask, calls: int, seed: int):
    """Return the model, accountant history and batch sizes of Opacus's own optimizer: same draws, no noise."""
    embedded, lengths, labels = some_batch(calls)
    draws = torch.Generator().manual_seed(int(np.random.default_rng(seed).integers(2**63)))
    loader = DataLoader(TensorDataset(embedded, lengths, labels), batch_size=4, generator=draws)
    model, engine = OpacusDetector(start_network()).train(), PrivacyEngine(accountant="prv")
    module, optimizer, loader = engine.make_private(
        module=model,
        optimizer=torch.optim.SGD(model.parameters(), lr=task.learning_rate),
        data_loader=loader,
        noise_multiplier=0.0,
        max_grad_norm=task.call_privacy.clip_norm,
    )
    sizes = []
    for _ in range(task.epochs):
        for batch in loader:
            sizes.append(len(batch[0]))
            optimizer.zero_grad()
            binary_cross_entropy_with_logits(module(batch[0], batch[1]), batch[2]).backward()
            optimizer.step()
    return model, engine.accountant.history, sizes


@pytest.fixture(scope="module")
def trainings():
    """Three epochs over 13 calls, by our training and by Opacus alone."""
    task, network = replace(private_task(), epochs=3), start_network()
    steps = train_privately(network, *some_batch(13), task, np.random.default_rng(1))
    return network, steps, *train_with_opacus_alone(task, 13, seed=1)


def test_weights_equal_opacus_own_under_the_names_of_nn_lstm(trainings):
    network, _, opacus_model, _, _ = trainings
    theirs = opacus_model.state_dict()
    assert list(network.state_dict()) == list(Classifier(DIMENSIONS).state_dict())
    for name, ours in network.state_dict().items():
        assert torch.allclose(ours, theirs[name], atol=1e-6), name


def test_the_steps_that_are_charged_are_those_that_opacus_accounts_for(trainings):
    _, steps, _, history, _ = trainings
    ((_, rate, taken),) = history
    assert (steps.noise_multiplier, steps.sampling_rate, steps.steps) == (NO_NOISE, rate, taken)
    assert (rate, taken) == (1 / 4, 12)  # 13 calls in batches of 4: four batches an epoch


def test_a_rate_that_rounds_badly_is_never_charged_as_less_than_was_drawn():
    """1 / (1 / 93) is a little below 93: Opacus takes 92 steps there, draws one in 93 and charges one in 92."""
    _, steps = update_of(private_task(batch_calls=1), calls=93)
    assert (steps.sampling_rate, steps.steps) == (1 / 92, 92)


def test_empty_batches_take_a_step_of_noise_alone_and_are_charged():
    """Two calls in batches of one: some of the batches drawn are empty, also first ones."""
    task = replace(private_task(batch_calls=1, noise_multiplier=1.0), epochs=4)
    emptied = 0
    for seed in range(6):
        emptied += batch_sizes(task.epochs * 2, calls=2, seed=seed).count(0)
        update, steps = update_of(task, calls=2, seed=seed)
        assert np.isfinite(update).all()
        assert steps.steps == 8
    assert emptied > 0


def batch_sizes(batches: int, calls: int, seed: int) -> list[int]:
    """Return the sizes of the batches that a seed draws at a rate of one in ``calls``."""
    draws = torch.Generator().manual_seed(int(np.random.default_rng(seed).integers(2**63)))
    return [int((torch.rand(calls, generator=draws) < 1 / calls).sum()) for _ in range(batches)]


@pytest.mark.parametrize("seed", [None, 7], ids=["system", "seeded"])
def test_noise_on_a_step_has_the_promised_scale_and_a_wrong_one_is_caught(seed):
    """Multiplier 2, norm .1, batches of 4, learning rate 1: .05 on every parameter."""
    task = replace(private_task(noise_multiplier=2.0), seed=seed)
    update, _ = update_of(task, calls=4)
    noise = update - clipped_step(4, 0.1)
    assert is_gaussian_noise(noise, 2.0 * 0.1 / 4)
    assert not is_gaussian_noise(noise, 0.7 * 2.0 * 0.1 / 4)
    assert not is_gaussian_noise(noise, 1.3 * 2.0 * 0.1 / 4)
