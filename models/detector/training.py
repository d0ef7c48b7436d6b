"""Training a detector in one place: the base that federation starts from.

The recipe makes for calls of another origin than those seen: every call is judged at all of its beginnings at once,
words and inputs are dropped, and each source and label weighs the same.

N calls, T words, D dimensions.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.corpus.splits import split_by_origin
from models.detector.calibration import calibrate
from models.detector.classifier import HIDDEN, Classifier
from models.detector.detector import TrainedDetector
from models.detector.embedded_calls import number_words
from models.detector.embedding import NgramEmbedding
from models.detector.embedding_training import train_embedding
from models.detector.heard_calls import HeardCalls
from models.detector.parameters import read_parameters
from models.detector.prefixes import prefix_logits, prefix_loss
from models.detector.scoring import score_calls
from models.detector.tunable_embedding import TunableEmbedding
from models.domain.call import Call
from models.text.clean import split_words
from models.text.ngrams import NgramScheme
from models.text.window import words_until

LONGEST = 75.0
"""Seconds of a call that training looks at. Longer ones made unseen calls score worse, late windows included."""

CALIBRATED_AT = (20.0, 30.0, 60.0, 120.0)
"""Seconds at which calls kept apart choose the epoch, the calibration and the thresholds."""


_WARM_UP_STEPS = 50
_LARGEST_GRADIENT = 1.0


@dataclass(frozen=True, slots=True)
class TrainingSettings:
    """How a detector is trained. Two runs with equal settings and calls give equal detectors.

    Attributes:
        dimensions: Of a word's vector.
        scheme: How words become n-gram ids.
        epochs: At most; a large set needs fewer.
        steps: After which training ends, at the end of an epoch.
        batch_calls: Calls in a batch.
        learning_rate: Of AdamW; warmed up over the first epoch and lowered to zero along a cosine.
        table_learning_rate: Of the n-gram table.
        weight_decay: Of AdamW, on the network.
        word_dropout: Share of words that a batch doesn't hear.
        input_dropout: Share of a word's numbers that are dropped.
        output_dropout: Share of the LSTM's outputs that are dropped.
        ngram_dropout: Share of a word's n-grams that are dropped while the table is tuned.
        most_words_skipped: A call is heard from a random word on, at most this one.
        validation_share: Of the calls, kept apart by group.
        attention: Off, every word weighs the same: what the comparison measures attention against.
        seed: Of everything random.
    """

    dimensions: int = 64
    scheme: NgramScheme = field(default_factory=NgramScheme)
    epochs: int = 15
    steps: int = 500
    batch_calls: int = 32
    learning_rate: float = 3e-3
    table_learning_rate: float = 2e-2
    weight_decay: float = 1e-2
    word_dropout: float = 0.15
    input_dropout: float = 0.3
    output_dropout: float = 0.3
    ngram_dropout: float = 0.1
    most_words_skipped: int = 20
    validation_share: float = 0.15
    attention: bool = True
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

    First in rehearsal: a share of the calls is kept apart by group (near duplicates, or a generator's scenarios), and
    what the rehearsed detector scores there gives the calibration and the alarm thresholds. Then the detector is
    trained on all calls in the same way. No epoch is chosen: stopping before the learning rate had come down made
    unseen calls score worse.

    Args:
        calls: Labelled calls of both labels.
        settings: The recipe.
        progress: Told after every epoch of the rehearsal.
        embedding: Used as it is. Where absent, one is trained on the calls' words and tuned together with the network.
        lineage: What the caller knows of the calls' origin; the settings and counts are added.

    Raises:
        BadInputError: A side of the split would lack a label, or the calls hold too few words.
    """
    learned, kept_apart = split_by_origin(calls, settings.validation_share, settings.seed)
    rehearsal = _Rehearsal(kept_apart, progress)
    _train(_Trainer(settings, learned, embedding), rehearsal.judge)
    trainer = _Trainer(settings, calls, embedding)
    _train(trainer)
    trained = trainer.freeze().with_calibration(*calibrate(rehearsal.logits, rehearsal.labels))
    return replace(trained, lineage={**(lineage or {}), **_lineage(settings, calls, rehearsal)})


def weigh_sources(calls: Sequence[Call]) -> NDArray[np.float32]:
    """Return a weight a call (N,), 1 in the mean, under which every source and label counts the same."""
    cells = [(call.source, call.label) for call in calls]
    counts = Counter(cells)
    return np.array([len(calls) / (len(counts) * counts[cell]) for cell in cells], dtype=np.float32)


class _Trainer:
    """The network, and the table where it is trained too, on the way."""

    def __init__(self, settings: TrainingSettings, learned: Sequence[Call], given: NgramEmbedding | None) -> None:
        self.settings = settings
        self.given = given
        embedding = given or _start_embedding(settings, learned)
        self.random = torch.Generator().manual_seed(settings.seed)
        vocabulary, words, lengths = number_words([words_until(call, LONGEST) for call in learned])
        labels, weights = np.array([call.label for call in learned], dtype=np.float32), weigh_sources(learned)
        self.calls = HeardCalls(
            words, lengths, labels, weights, settings.word_dropout, settings.most_words_skipped, settings.batch_calls
        )
        self.embedding = TunableEmbedding(embedding, vocabulary)
        self.network = _fresh_network(embedding.dimensions, self.random)
        if not settings.attention:
            self.network.head.weigh_alike()
        self.optimizer = self._optimizer(tune=given is None)
        steps_an_epoch = math.ceil(len(labels) / settings.batch_calls)
        self.epochs = max(min(settings.epochs, round(settings.steps / steps_an_epoch)), 1)
        steps = self.epochs * steps_an_epoch
        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.optimizer, lambda step: _pace(step, steps))

    def run_epoch(self) -> None:
        for batch in self.calls.batches(self.random):
            embedded = _drop(self._embed(batch.words), self.settings.input_dropout, self.random)  # (N, T, D)
            hidden, _ = self.network.lstm(embedded)
            logits = prefix_logits(self.network, _drop(hidden, self.settings.output_dropout, self.random))
            self._step(prefix_loss(logits, batch.labels, batch.lengths, batch.weights))

    def freeze(self) -> TrainedDetector:
        """Return what was learned so far, with the table as it ships."""
        return TrainedDetector(self.given or self.embedding.freeze(), read_parameters(self.network))

    def _optimizer(self, *, tune: bool) -> torch.optim.Optimizer:
        settings = self.settings
        network = {"params": list(self.network.parameters()), "weight_decay": settings.weight_decay}
        table = {"params": [self.embedding.table], "lr": settings.table_learning_rate, "weight_decay": 0.0}
        self.embedding.table.requires_grad_(tune)
        return torch.optim.AdamW([network, table] if tune else [network], lr=settings.learning_rate, fused=True)

    def _embed(self, words: Tensor) -> Tensor:
        distinct, places = torch.unique(words, return_inverse=True)
        dropout = self.settings.ngram_dropout if self.given is None else 0.0
        vectors: Tensor = self.embedding(distinct, dropout, self.random)
        return vectors[places]

    def _step(self, loss: Tensor) -> None:
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_([*self.network.parameters(), self.embedding.table], _LARGEST_GRADIENT)
        self.optimizer.step()
        self.schedule.step()


def _train(trainer: _Trainer, after_epoch: Callable[[_Trainer, int], None] | None = None) -> None:
    for epoch in range(1, trainer.epochs + 1):
        trainer.run_epoch()
        if after_epoch:
            after_epoch(trainer, epoch)


class _Rehearsal:
    """Calls kept apart, and what the rehearsed detector last scored on them."""

    def __init__(self, kept_apart: Sequence[Call], progress: Progress | None) -> None:
        self.kept_apart = kept_apart
        self.progress = progress
        self.labels = np.tile([float(call.label) for call in kept_apart], len(CALIBRATED_AT))
        self.logits = np.zeros(len(self.labels))
        self.loss = math.nan

    def judge(self, trainer: _Trainer, epoch: int) -> None:
        """Score the calls; the loss is the mean over windows, every source and label weighing the same."""
        trained = trainer.freeze()
        self.logits = np.concatenate([score_calls(trained, self.kept_apart, seconds) for seconds in CALIBRATED_AT])
        weights = np.tile(weigh_sources(self.kept_apart), len(CALIBRATED_AT))
        self.loss = float(np.average(np.logaddexp(0, self.logits * (1 - 2 * self.labels)), weights=weights))
        if self.progress:
            self.progress(EpochReport(epoch, trainer.epochs, self.loss))


def _start_embedding(settings: TrainingSettings, calls: Sequence[Call]) -> NgramEmbedding:
    words = [split_words(call.transcript) for call in calls]
    return train_embedding(words, settings.scheme, settings.dimensions, settings.seed)


def _lineage(settings: TrainingSettings, calls: Sequence[Call], rehearsal: _Rehearsal) -> dict[str, Any]:
    sources = dict(Counter(call.source for call in calls))
    rehearsed = {"calls_kept_apart": len(rehearsal.kept_apart), "loss": rehearsal.loss}
    return {"settings": asdict(settings), "calls": sources, "rehearsal": rehearsed}


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
