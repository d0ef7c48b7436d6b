"""DP-SGD on one device (Abadi et al. 2016): Opacus samples and accounts, gradients and noise are ours."""

from __future__ import annotations

import os

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits
from torch.utils.data import DataLoader, TensorDataset

from fl_client.private_optimizer import CallPrivacyEngine, GridNoiseOptimizer
from models.detector.classifier import Classifier
from models.detector.private_classifier import PrivateClassifier
from models.domain.training import CallSteps, LocalTask
from models.privacy.randomness import GaussianSource, SeededGaussian, SystemGaussian


def train_privately(
    network: Classifier,
    embedded: Tensor,
    lengths: Tensor,
    labels: Tensor,
    task: LocalTask,
    generator: np.random.Generator,
) -> CallSteps:
    """Train a network in place under DP-SGD and return the steps to charge.

    Args:
        network: Starts as the global model; holds the trained parameters afterwards.
        embedded: Calls of the device, shape (N, T, D), padded on the right.
        lengths: Words of each, shape (N,).
        labels: 1.0 vishing, 0.0 normal, shape (N,).
        task: Carries ``call_privacy``: the caller chooses this function by it.
        generator: Randomness where the task is seeded; otherwise the operating system's is used.
    """
    privacy = task.call_privacy
    assert privacy is not None
    private = PrivateClassifier(network)
    batch_calls = min(privacy.batch_calls, len(labels))
    seeded = task.seed is not None
    source: GaussianSource = SeededGaussian(generator) if seeded else SystemGaussian()
    engine = CallPrivacyEngine(private, source)
    module, optimizer, loader = engine.make_private(
        module=private.train(),
        optimizer=torch.optim.SGD(private.parameters(), lr=task.learning_rate),
        data_loader=DataLoader(
            TensorDataset(embedded, lengths, labels), batch_size=batch_calls, generator=_sampler(generator, seeded)
        ),
        noise_multiplier=privacy.noise_multiplier,
        max_grad_norm=privacy.clip_norm,
        grad_sample_mode="no_op",
    )
    vishing_weight = torch.tensor(task.vishing_weight)
    for _ in range(task.epochs):
        for batch in loader:
            _step(module, optimizer, batch, vishing_weight)
    # One entry: neither noise nor rate changes within a training. The loader's own length may be off by rounding.
    (steps,) = engine.accountant.history
    return CallSteps(*steps)


def _step(module: nn.Module, optimizer: GridNoiseOptimizer, batch: list[Tensor], vishing_weight: Tensor) -> None:
    """Take one step. An empty Poisson batch takes one too, of noise alone: leaving it out would tell of it."""
    embedded, lengths, labels = batch
    longest = int(lengths.max()) if len(lengths) else 0
    optimizer.zero_grad()
    logits = module(embedded[:, :longest], lengths)
    binary_cross_entropy_with_logits(logits, labels, pos_weight=vishing_weight).backward()  # type: ignore[no-untyped-call]
    optimizer.step()


def _sampler(generator: np.random.Generator, seeded: bool) -> torch.Generator:
    seed = int(generator.integers(2**63)) if seeded else int.from_bytes(os.urandom(7), "big")
    return torch.Generator().manual_seed(seed)
