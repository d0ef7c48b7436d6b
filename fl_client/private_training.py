"""DP-SGD on one device: Opacus samples, clips per call and accounts; the noise is ours (Abadi et al. 2016).

The network trains as Opacus's DPLSTM, whose per-call gradients Opacus knows, and gives its weights back under nn.LSTM's
names.
"""

from __future__ import annotations

import os
import warnings
from typing import Any

import numpy as np
import torch
from opacus import PrivacyEngine
from opacus.layers import DPLSTM
from opacus.optimizers import DPOptimizer
from opacus.optimizers.optimizer import _check_processed_flag, _mark_as_processed
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits
from torch.utils.data import DataLoader, TensorDataset

from models.detector.classifier import HIDDEN, Classifier
from models.domain.training import CallSteps, LocalTask
from models.privacy.clipping import SPACINGS_PER_NORM
from models.privacy.randomness import GaussianSource, SeededGaussian, SystemGaussian


class GridNoiseOptimizer(DPOptimizer):  # type: ignore[misc]
    """Opacus's optimizer with noise from our source, on a grid that hides floating point's low bits (Mironov 2012).

    The clipped sum is rounded to the grid once, after float32 has added it up. One call can therefore move it by the
    clipping norm and rounding, which is below a millionth of it; the accountant is told of the clipping norm.
    """

    def __init__(self, *args: Any, source: GaussianSource, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._source = source

    def add_noise(self) -> None:
        """Round the clipped sums to the grid and add noise rounded to it."""
        spacing = self.max_grad_norm / SPACINGS_PER_NORM
        for parameter in self.params:
            _check_processed_flag(parameter.summed_grad)
            noise = self._source.standard_normal(parameter.numel()) * self.noise_multiplier * SPACINGS_PER_NORM
            on_grid = torch.trunc(parameter.summed_grad.double() / spacing)
            noised = on_grid + torch.from_numpy(np.rint(noise)).view_as(on_grid)
            parameter.grad = (noised * spacing).to(parameter.dtype).view_as(parameter)
            _mark_as_processed(parameter.summed_grad)


class OwnNoiseEngine(PrivacyEngine):  # type: ignore[misc]
    """Opacus's engine, building our optimizer."""

    def __init__(self, source: GaussianSource) -> None:
        with warnings.catch_warnings():
            # The warning is about Opacus's own noise; ours is drawn from ``source``.
            warnings.filterwarnings("ignore", "Secure RNG turned off")
            super().__init__(accountant="prv")
        self._source = source

    def _prepare_optimizer(self, *, optimizer: torch.optim.Optimizer, **settings: Any) -> GridNoiseOptimizer:
        kept = ("noise_multiplier", "max_grad_norm", "expected_batch_size", "loss_reduction")
        return GridNoiseOptimizer(optimizer, source=self._source, **{name: settings[name] for name in kept})


class PrivateClassifier(nn.Module):
    """The detector's network with Opacus's LSTM in the place of nn.LSTM."""

    def __init__(self, network: Classifier) -> None:
        super().__init__()
        self.lstm = DPLSTM(network.lstm.input_size, HIDDEN, batch_first=True)
        self.lstm.load_state_dict(network.lstm.state_dict())
        self.head = network.head

    def forward(self, embedded: Tensor, lengths: Tensor) -> Tensor:
        """Return logits (N,) for embedded words (N, T, D) and lengths (N,)."""
        hidden, _ = self.lstm(embedded)
        logits: Tensor = self.head(hidden, lengths)[0]
        return logits


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
    engine = OwnNoiseEngine(source)
    module, optimizer, loader = engine.make_private(
        module=private.train(),
        optimizer=torch.optim.SGD(private.parameters(), lr=task.learning_rate),
        data_loader=DataLoader(
            TensorDataset(embedded, lengths, labels), batch_size=batch_calls, generator=_sampler(generator, seeded)
        ),
        noise_multiplier=privacy.noise_multiplier,
        max_grad_norm=privacy.clip_norm,
    )
    vishing_weight = torch.tensor(task.vishing_weight)
    for _ in range(task.epochs):
        for batch in loader:
            _step(module, optimizer, batch, vishing_weight)
    network.lstm.load_state_dict(_lstm_weights(private))
    # One entry: neither noise nor rate changes within a training. The loader's own length may be off by rounding.
    (steps,) = engine.accountant.history
    return CallSteps(*steps)


def _step(module: nn.Module, optimizer: DPOptimizer, batch: list[Tensor], vishing_weight: Tensor) -> None:
    """Take one step. An empty Poisson batch takes one too, of noise alone: leaving it out would tell of it."""
    optimizer.zero_grad()
    logits = module(batch[0], batch[1])
    loss = binary_cross_entropy_with_logits(logits, batch[2], pos_weight=vishing_weight)
    with warnings.catch_warnings():
        # Opacus hooks every module; the first one's inputs are embedded words, which need no gradient.
        warnings.filterwarnings("ignore", "Full backward hook is firing")
        loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()


def _sampler(generator: np.random.Generator, seeded: bool) -> torch.Generator:
    seed = int(generator.integers(2**63)) if seeded else int.from_bytes(os.urandom(7), "big")
    return torch.Generator().manual_seed(seed)


def _lstm_weights(private: PrivateClassifier) -> dict[str, Tensor]:
    state = private.lstm.state_dict()
    return {name: state[name].clone() for name in ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")}
