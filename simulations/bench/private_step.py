"""One DP-SGD step of the detector on one thread, against nn.LSTM's without privacy and Opacus's DPLSTM's with it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from opacus import PrivacyEngine
from opacus.layers import DPLSTM
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits
from torch.utils.data import DataLoader, TensorDataset

from fl_client.private_optimizer import CallClippingOptimizer, GridNoiseOptimizer
from models.detector.classifier import HIDDEN, Classifier
from models.detector.private_classifier import PrivateClassifier
from models.privacy.randomness import SystemGaussian
from simulations.bench.row import Row, compare, full_is_asked, median_pair, print_rows

PAPERS, OURS = 300, 64
"""Dimensions of the paper's word vectors, and of the detector that a run trains by default."""

Step = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Size:
    """Calls in a batch, words in a call, dimensions of a word."""

    calls: int
    words: int
    dimensions: int = PAPERS

    @property
    def name(self) -> str:
        """The row's name, which scripts read."""
        return f"private_step_b{self.calls}_t{self.words}" + (
            "" if self.dimensions == PAPERS else f"_d{self.dimensions}"
        )


SIZES = [Size(calls, words) for calls in (16, 64, 256) for words in (57, 107, 320)]

BESIDE_OPACUS = [Size(16, 57), Size(64, 107), Size(256, 107)]
"""Opacus's step takes many times as long: its other sizes are left to the full tables."""

NOISE_MULTIPLIER, CLIP_NORM, LEARNING_RATE = 1.0, 1.0, 0.1

MOST_PAIRS, LEAST_PAIRS, SECONDS = 41, 5, 15.0
"""How often two steps take turns: until both took so many seconds, within these limits."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Random calls: embedded (N, T, D), lengths (N,), labels (N,)."""

    embedded: Tensor
    lengths: Tensor
    labels: Tensor

    @classmethod
    def of(cls, size: Size) -> Batch:
        """Return a batch of a size."""
        embedded = torch.randn(size.calls, size.words, size.dimensions)
        return cls(embedded, torch.full((size.calls,), size.words), torch.rand(size.calls).round())


def measure(full: bool) -> Iterator[Row]:
    """Yield the rows: noise is torch's, as the peer's is, but where the row says otherwise."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")  # Opacus's, about hooks and about torch's noise: both are what is measured
    sizes = [*SIZES, *(Size(size.calls, size.words, OURS) for size in SIZES)] if full else SIZES
    for size in sizes:
        yield _row(size, "nn.LSTM", _plain_step)
    for size in sizes if full else BESIDE_OPACUS:
        yield _row(size, "opacus_dplstm", _opacus_step)
    yield _noise_row(Size(16, 57))


def _row(size: Size, against: str, peer: Callable[[Batch], Step]) -> Row:
    batch = Batch.of(size)
    return _paired(size.name, _private_step(batch), against, peer(batch))


def _noise_row(size: Size) -> Row:
    """The noise that devices draw, from a cipher and on a grid, against torch's in the same step."""
    batch = Batch.of(size)
    return _paired(
        f"{size.name}_secure_noise", _private_step(batch, secure=True), "torch's noise", _private_step(batch)
    )


def _paired(name: str, ours: Step, against: str, peer: Step) -> Row:
    seconds, peers = median_pair(ours, peer, SECONDS, LEAST_PAIRS, MOST_PAIRS)
    return compare(name, "ms", 1e3 * seconds, against, 1e3 * peers)


def _plain_step(batch: Batch) -> Step:
    network = Classifier(batch.embedded.shape[2])
    optimizer = torch.optim.SGD(network.parameters(), lr=LEARNING_RATE)
    return lambda: _step(optimizer, lambda: network(batch.embedded, batch.lengths)[0], batch.labels)


def _private_step(batch: Batch, secure: bool = False) -> Step:
    private = PrivateClassifier(Classifier(batch.embedded.shape[2]))
    # Opacus's sampler would draw another batch size each time: the optimizer is timed on fixed batches instead.
    settings: dict[str, Any] = {
        "classifier": private,
        "noise_multiplier": NOISE_MULTIPLIER,
        "max_grad_norm": CLIP_NORM,
        "expected_batch_size": len(batch.labels),
    }
    descent = torch.optim.SGD(private.parameters(), lr=LEARNING_RATE)
    optimizer = (
        GridNoiseOptimizer(descent, source=SystemGaussian(), **settings)
        if secure
        else CallClippingOptimizer(descent, **settings)
    )
    return lambda: _step(optimizer, lambda: private(batch.embedded, batch.lengths), batch.labels)


class _OpacusClassifier(nn.Module):
    """The detector as Opacus would have it written."""

    def __init__(self, dimensions: int) -> None:
        super().__init__()
        self.lstm = DPLSTM(dimensions, HIDDEN, batch_first=True)
        self.head = Classifier(dimensions).head

    def forward(self, embedded: Tensor, lengths: Tensor) -> Tensor:
        logits: Tensor = self.head(self.lstm(embedded)[0], lengths)[0]
        return logits


def _opacus_step(batch: Batch) -> Step:
    network = _OpacusClassifier(batch.embedded.shape[2]).train()
    module, optimizer, _ = PrivacyEngine().make_private(
        module=network,
        optimizer=torch.optim.SGD(network.parameters(), lr=LEARNING_RATE),
        data_loader=DataLoader(TensorDataset(batch.labels), batch_size=len(batch.labels)),
        noise_multiplier=NOISE_MULTIPLIER,
        max_grad_norm=CLIP_NORM,
        poisson_sampling=False,
    )
    return lambda: _step(optimizer, lambda: module(batch.embedded, batch.lengths), batch.labels)


def _step(optimizer: torch.optim.Optimizer, forward: Callable[[], Tensor], labels: Tensor) -> None:
    optimizer.zero_grad()
    binary_cross_entropy_with_logits(forward(), labels).backward()  # type: ignore[no-untyped-call]
    optimizer.step()


if __name__ == "__main__":
    print_rows(list(measure(full_is_asked())))
