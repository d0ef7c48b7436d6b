"""Training a detector in one place: the base that federation starts from.

The recipe makes for calls of another origin than those seen: every call is judged at all of its beginnings at once,
words and inputs are dropped, each source and label weighs the same, and the best epoch on calls kept apart is taken.

N calls, T words, D dimensions.
"""

from __future__ import annotations

import copy
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.corpus.generator import scenario_of
from models.corpus.splits import split_by_group, split_by_scenario
from models.detector.calibration import calibrate
from models.detector.classifier import HIDDEN, Classifier
from models.detector.detector import TrainedDetector
from models.detector.embedded_calls import IndexedCalls, index_calls
from models.detector.embedding import NgramEmbedding
from models.detector.embedding_training import train_embedding
from models.detector.parameters import read_parameters
from models.detector.prefixes import prefix_logits, prefix_loss
from models.detector.scoring import score_indexed
from models.domain.call import Call
from models.errors import UsageError
from models.text.clean import split_words
from models.text.ngrams import NgramScheme

LONGEST = 180.0
"""Seconds of a call that training looks at: the last of the windows that figures are given for."""

CALIBRATED_AT = (20.0, 30.0, 60.0, 120.0)
"""Seconds at which calls kept apart choose the epoch, the calibration and the thresholds."""


_WARM_UP_STEPS = 50
_LARGEST_GRADIENT = 1.0
_BATCHES_A_POOL = 8


@dataclass(frozen=True, slots=True)
class TrainingSettings:
    """How a detector is trained. Two runs with equal settings and calls give equal detectors.

    Attributes:
        dimensions: Of a word's vector.
        scheme: How words become n-gram ids.
        epochs: At most; training stops after ``patience`` epochs without a better one.
        patience: In epochs.
        batch_calls: Calls in a batch.
        learning_rate: Of AdamW; warmed up over the first epoch and lowered to zero along a cosine.
        weight_decay: Of AdamW.
        word_dropout: Share of words that a batch doesn't hear.
        input_dropout: Share of a word's numbers that are dropped.
        output_dropout: Share of the LSTM's outputs that are dropped.
        most_words_skipped: A call is heard from a random word on, at most this one.
        validation_share: Of the calls, kept apart by group.
        seed: Of everything random.
    """

    dimensions: int = 64
    scheme: NgramScheme = field(default_factory=NgramScheme)
    epochs: int = 30
    patience: int = 8
    batch_calls: int = 32
    learning_rate: float = 3e-3
    weight_decay: float = 1e-2
    word_dropout: float = 0.15
    input_dropout: float = 0.3
    output_dropout: float = 0.3
    most_words_skipped: int = 20
    validation_share: float = 0.15
    seed: int = 0


@dataclass(frozen=True, slots=True)
class EpochReport:
    """How far training is: ``validation_loss`` in nats on calls kept apart."""

    epoch: int
    epochs: int
    validation_loss: float


Progress = Callable[[EpochReport], None]


def train_detector(
    calls: Sequence[Call],
    settings: TrainingSettings,
    progress: Progress | None = None,
    embedding: NgramEmbedding | None = None,
    lineage: Mapping[str, Any] | None = None,
) -> TrainedDetector:
    """Return a detector trained on calls that are all in one place.

    A share of the calls is kept apart by group (near duplicates, or a generator's scenarios): it chooses the epoch, the
    calibration and the alarm thresholds.

    Args:
        calls: Labelled calls of both labels.
        settings: The recipe.
        progress: Told after every epoch.
        embedding: Used as it is; trained on the calls' words where absent.
        lineage: What the caller knows of the calls' origin; the settings and counts are added.

    Raises:
        BadInputError: A side of the split would lack a label, or the calls hold too few words.
    """
    learned, kept_apart = _split(calls, settings)
    if embedding is None:
        words = [split_words(call.transcript) for call in learned]
        embedding = train_embedding(words, settings.scheme, settings.dimensions, settings.seed)
    trainer = _Trainer(settings, index_calls(learned, LONGEST, embedding), weigh_sources(learned))
    validation = [index_calls(kept_apart, seconds, embedding) for seconds in CALIBRATED_AT]
    network = _train_best(trainer, validation, weigh_sources(kept_apart), progress)
    return _calibrated(network, embedding, validation, {**(lineage or {}), **_lineage(settings, learned, kept_apart)})


def weigh_sources(calls: Sequence[Call]) -> NDArray[np.float32]:
    """Return a weight a call (N,), 1 in the mean, under which every source and label counts the same."""
    cells = [(call.source, call.label) for call in calls]
    counts = Counter(cells)
    return np.array([len(calls) / (len(counts) * counts[cell]) for cell in cells], dtype=np.float32)


def _split(calls: Sequence[Call], settings: TrainingSettings) -> tuple[list[Call], list[Call]]:
    """Keep whole scenarios of synthetic calls and whole groups of near duplicates of others apart."""
    synthetic = [call for call in calls if _is_generated(call)]
    others = [call for call in calls if not _is_generated(call)]
    learned: list[Call] = []
    kept_apart: list[Call] = []
    for part, split in ((synthetic, split_by_scenario), (others, split_by_group)):
        if part:
            rest, apart = split(part, settings.validation_share, settings.seed)
            learned, kept_apart = learned + list(rest), kept_apart + list(apart)
    return learned, kept_apart


def _is_generated(call: Call) -> bool:
    try:
        return bool(scenario_of(call.id))
    except UsageError:
        return False


class _Trainer:
    """One network in training, and the batches it learns from."""

    def __init__(self, settings: TrainingSettings, calls: IndexedCalls, weights: NDArray[np.float32]) -> None:
        self.settings = settings
        self.calls = calls
        self.vectors = torch.from_numpy(calls.vectors)
        self.indices = torch.from_numpy(calls.indices).long()
        self.weights = torch.from_numpy(weights)
        self.labels = torch.from_numpy(calls.labels)
        self.random = torch.Generator().manual_seed(settings.seed)
        self.network = _fresh_network(calls.vectors.shape[1], self.random)
        self.optimizer = torch.optim.AdamW(
            self.network.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
        )
        steps = settings.epochs * math.ceil(len(self.labels) / settings.batch_calls)
        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.optimizer, lambda step: _pace(step, steps))

    def run_epoch(self) -> None:
        self.network.train()
        for rows in self._batches():
            indices, lengths = self._hear(rows)
            embedded = _drop(self.vectors[indices], self.settings.input_dropout, self.random)  # (N, T, D)
            hidden, _ = self.network.lstm(embedded)
            logits = prefix_logits(self.network, _drop(hidden, self.settings.output_dropout, self.random))
            self._step(prefix_loss(logits, self.labels[rows], lengths, self.weights[rows]))
        self.network.eval()

    def _step(self, loss: Tensor) -> None:
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.network.parameters(), _LARGEST_GRADIENT)
        self.optimizer.step()
        self.schedule.step()

    def _batches(self) -> Iterator[Tensor]:
        """Yield rows of calls in random order, calls of similar length together."""
        order = torch.randperm(len(self.labels), generator=self.random).numpy()
        pool = self.settings.batch_calls * _BATCHES_A_POOL
        pools = [order[at : at + pool] for at in range(0, len(order), pool)]
        ordered = np.concatenate([rows[np.argsort(self.calls.lengths[rows], kind="stable")] for rows in pools])
        batches = torch.split(torch.from_numpy(ordered), self.settings.batch_calls)
        return (batches[place] for place in torch.randperm(len(batches), generator=self.random))

    def _hear(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return word indices (N, T) and lengths (N,) from a random first word on, some words unheard."""
        lengths = torch.from_numpy(self.calls.lengths)[rows]
        most = torch.clamp(lengths // 3, max=self.settings.most_words_skipped)
        first = (torch.rand(len(rows), generator=self.random) * (most + 1)).long()
        lengths = lengths - first
        places = torch.arange(int(lengths.max()))
        spoken = places < lengths.unsqueeze(1)  # (N, T)
        columns = (first.unsqueeze(1) + places).clamp_max(self.indices.shape[1] - 1)
        heard = torch.rand(spoken.shape, generator=self.random) >= self.settings.word_dropout
        return self.indices[rows].gather(1, columns) * (spoken & heard), lengths


def _train_best(
    trainer: _Trainer, validation: Sequence[IndexedCalls], weights: NDArray[np.float32], progress: Progress | None
) -> Classifier:
    """Train until epochs run out or patience does; return the network of the best epoch."""
    settings = trainer.settings
    best_loss, best_epoch, best = math.inf, 0, copy.deepcopy(trainer.network)
    for epoch in range(1, settings.epochs + 1):
        trainer.run_epoch()
        loss = _validation_loss(trainer.network, validation, weights)
        if loss < best_loss:
            best_loss, best_epoch, best = loss, epoch, copy.deepcopy(trainer.network)
        if progress:
            progress(EpochReport(epoch, settings.epochs, loss))
        if epoch - best_epoch >= settings.patience:
            break
    return best


def _validation_loss(network: Classifier, validation: Sequence[IndexedCalls], weights: NDArray[np.float32]) -> float:
    """Return the mean cross-entropy in nats over windows, every source and label weighing the same."""
    losses = [
        np.average(np.logaddexp(0, score_indexed(network, calls) * (1 - 2 * calls.labels)), weights=weights)
        for calls in validation
    ]
    return float(np.mean(losses))


def _calibrated(
    network: Classifier, embedding: NgramEmbedding, validation: Sequence[IndexedCalls], lineage: Mapping[str, Any]
) -> TrainedDetector:
    logits = np.concatenate([score_indexed(network, calls) for calls in validation])
    labels = np.concatenate([calls.labels for calls in validation])
    calibration, thresholds = calibrate(logits, labels)
    return TrainedDetector(embedding, read_parameters(network), calibration, thresholds, lineage)


def _lineage(settings: TrainingSettings, learned: Sequence[Call], kept_apart: Sequence[Call]) -> dict[str, Any]:
    sources = Counter(call.source for call in learned)
    return {"settings": asdict(settings), "calls": dict(sources), "calls_kept_apart": len(kept_apart)}


def _fresh_network(dimensions: int, random: torch.Generator) -> Classifier:
    """Return a network with torch's own start, drawn from our generator and not the process's."""
    network = Classifier(dimensions)
    bound = 1 / math.sqrt(HIDDEN)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.uniform_(-bound, bound, generator=random)
    return network


def _drop(values: Tensor, share: float, random: torch.Generator) -> Tensor:
    """Return values with a share of them dropped and the rest scaled up."""
    kept = torch.rand(values.shape, generator=random) >= share
    return values * kept / (1 - share)


def _pace(step: int, steps: int) -> float:
    """Return the learning rate's factor: a short warm-up, then a cosine down to zero."""
    return min(1.0, (step + 1) / _WARM_UP_STEPS) * 0.5 * (1 + math.cos(math.pi * min(step / steps, 1.0)))
