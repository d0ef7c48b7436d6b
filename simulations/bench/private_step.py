"""One DP-SGD step of the detector against the same step of plain nn.LSTM without privacy, on one thread."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits
from torch.utils.data import DataLoader, TensorDataset

from fl_client.private_training import OwnNoiseEngine, PrivateClassifier
from models.detector.classifier import Classifier
from models.privacy.randomness import SystemGaussian
from simulations.bench.row import Row, compare, median_seconds, print_rows

DIMENSIONS = 300
SIZES = ((16, 57), (16, 107), (64, 107))
"""Calls in a batch and words in a call."""

REPEATS = 12


@dataclass(frozen=True, slots=True)
class Batch:
    """Random calls: embedded (N, T, D), lengths (N,), labels (N,)."""

    embedded: Tensor
    lengths: Tensor
    labels: Tensor


def measure() -> list[Row]:
    """Return a row a size."""
    torch.set_num_threads(1)
    return [_row(calls, words) for calls, words in SIZES]


def _row(calls: int, words: int) -> Row:
    batch = Batch(torch.randn(calls, words, DIMENSIONS), torch.full((calls,), words), torch.rand(calls).round())
    private, plain = median_seconds([_private_step(batch), _plain_step(batch)], REPEATS)
    return compare(f"private_step_b{calls}_t{words}", "ms", 1e3 * private, "nn.LSTM", 1e3 * plain)


def _plain_step(batch: Batch) -> Callable[[], None]:
    network = Classifier(DIMENSIONS)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    return lambda: _step(optimizer, lambda: network(batch.embedded, batch.lengths)[0], batch.labels)


def _private_step(batch: Batch) -> Callable[[], None]:
    network: nn.Module = PrivateClassifier(Classifier(DIMENSIONS)).train()
    # Opacus's own sampler would draw another batch size each time: the optimizer is timed on fixed batches instead.
    network, optimizer, _ = OwnNoiseEngine(SystemGaussian()).make_private(
        module=network,
        optimizer=torch.optim.SGD(network.parameters(), lr=0.1),
        data_loader=DataLoader(TensorDataset(batch.labels), batch_size=len(batch.labels)),
        noise_multiplier=1.0,
        max_grad_norm=1.0,
        poisson_sampling=False,
    )
    return lambda: _step(optimizer, lambda: network(batch.embedded, batch.lengths), batch.labels)


def _step(optimizer: torch.optim.Optimizer, forward: Callable[[], Tensor], labels: Tensor) -> None:
    optimizer.zero_grad()
    binary_cross_entropy_with_logits(forward(), labels).backward()  # type: ignore[no-untyped-call]
    optimizer.step()


if __name__ == "__main__":
    print_rows(measure())
