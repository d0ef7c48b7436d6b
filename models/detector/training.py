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
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from models.corpus.generator import SOURCE
from models.detector.bag_training import fit_bag
from models.detector.calibration import calibrate
from models.detector.classifier import HIDDEN, Classifier
from models.detector.detector import TrainedDetector
from models.detector.embedded_calls import number_words
from models.detector.embedding import NgramEmbedding
from models.detector.embedding_training import train_embedding
from models.detector.heard_calls import HeardCalls, weigh_sources
from models.detector.ngram_bag import NgramBag
from models.detector.parameters import read_parameters
from models.detector.prefixes import prefix_logits, prefix_loss
from models.detector.rehearsal import Rehearsal, halve_calls
from models.detector.tunable_embedding import TunableEmbedding
from models.domain.call import Call
from models.text.clean import split_words
from models.text.ngrams import NgramScheme
from models.text.vocabulary import Vocabulary
from models.text.window import words_until

LONGEST = 240.0
"""Seconds of a call that training looks at."""


_TRAININGS = 3
"""Epochs told of for each epoch of the detector itself: two halves rehearse as many."""

_WARM_UP_STEPS = 50

_LONGEST_WARM_UP = 0.25
"""Share of all steps: a rehearsal on few calls would end before it was warm, and say next to nothing of any call."""

_LARGEST_GRADIENT = 1.0

_SETTLED = 0.5
"""Share of the epochs after which the weights are averaged and the learning rate comes down."""

_LAST_PACE = 0.3
"""Share of the learning rate that is left at the end: weights that stand still have nothing to average."""


@dataclass(frozen=True, slots=True)
class TrainingSettings:
    """How a detector is trained. Two runs with equal settings and calls give equal detectors.

    Attributes:
        dimensions: Of a word's vector.
        scheme: How words become n-gram ids.
        epochs: At most; a large set needs fewer.
        steps: After which training ends, at the end of an epoch.
        batch_calls: Calls in a batch.
        learning_rate: Of AdamW; warmed up over 50 steps, or a quarter of all if that is less, and in the second half
            lowered to .3 of it along a cosine.
        table_learning_rate: Of the n-gram table.
        weight_decay: Of AdamW, on the network.
        word_dropout: Share of words that a batch doesn't hear.
        input_dropout: Share of a word's numbers that are dropped.
        output_dropout: Share of the LSTM's outputs that are dropped.
        ngram_dropout: Share of a word's n-grams that are dropped while the table is tuned.
        most_words: Of a call that a step hears. Longer stretches made unseen calls score worse, late windows included.
        midst_share: How often a call is heard from any word on: what is said later tells the labels apart too.
            Synthetic calls never are: a third of them begins in the midst anyway.
        most_words_skipped: Else it is heard from a random word on, at most this one.
        attention: Off, every word weighs the same: what the comparison measures attention against.
        bag: Off, the network judges without a bag of n-grams beside it.
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
    most_words: int = 130
    midst_share: float = 0.5
    most_words_skipped: int = 20
    attention: bool = True
    bag: bool = True
    seed: int = 0


@dataclass(frozen=True, slots=True)
class EpochReport:
    """How far training is, rehearsals counted, and the epoch's mean loss in nats on what its steps heard."""

    epoch: int
    epochs: int
    loss: float


Progress = Callable[[EpochReport], None]


def train_detector(
    calls: Sequence[Call],
    settings: TrainingSettings,
    progress: Progress | None = None,
    embedding: NgramEmbedding | None = None,
    lineage: Mapping[str, Any] | None = None,
) -> TrainedDetector:
    """Return a detector trained on calls that are all in one place.

    First in rehearsal: each half of the calls is scored by a detector that learned the other half in the same way, and
    the scores give the calibration and the alarm thresholds. No near duplicate, or draw of one scenario, is in both
    halves. The scores also tell what the bag of n-grams, fitted apart, counts beside the network. Then the detector is
    trained on all calls. No epoch is chosen: the network is the mean of the weights after each epoch of the second half
    (Izmailov et al., 2018, "Averaging Weights Leads to Wider Optima").

    Args:
        calls: Labelled calls of both labels.
        settings: The recipe.
        progress: Told after every epoch, `count_epochs` times.
        embedding: Used as it is. Where absent, one is trained on the calls' words and tuned together with the network.
        lineage: What the caller knows of the calls' origin; the settings and counts are added.

    Raises:
        BadInputError: A half would lack a label, or the calls hold too few words.
    """
    session = _Session(settings, embedding, len(calls), progress)
    halves = halve_calls(calls, settings.seed)
    rehearsal = Rehearsal.of([(session.train(learned), judged) for learned, judged in (halves, halves[::-1])])
    trained = session.train(calls)
    trained = replace(trained, bag=trained.bag.scaled(rehearsal.bag_scale))
    trained = trained.with_calibration(
        *calibrate(rehearsal.logits, rehearsal.words, rehearsal.labels, rehearsal.weights)
    )
    vocabulary = Vocabulary.of_calls(split_words(call.transcript) for call in calls)
    lineage = {**(lineage or {}), **_lineage(settings, calls, rehearsal)}
    return replace(trained, lineage=lineage, vocabulary=vocabulary)


def count_epochs(settings: TrainingSettings, calls: int) -> int:
    """Return after how many epochs training on so many calls is done, rehearsals counted."""
    return _TRAININGS * _epochs_of_one(settings, calls)


def _epochs_of_one(settings: TrainingSettings, calls: int) -> int:
    steps_an_epoch = math.ceil(calls / settings.batch_calls)
    return max(min(settings.epochs, round(settings.steps / steps_an_epoch)), 1)


class _Session:
    """Trains detectors one after the other, each for as many epochs as all calls get, and tells how far it is."""

    def __init__(
        self, settings: TrainingSettings, embedding: NgramEmbedding | None, calls: int, progress: Progress | None
    ) -> None:
        self.settings = settings
        self.embedding = embedding
        self.epochs = _epochs_of_one(settings, calls)
        self.all_epochs = count_epochs(settings, calls)
        self.done = 0
        self.progress = progress

    def train(self, learned: Sequence[Call]) -> TrainedDetector:
        trainer = _Trainer(self.settings, learned, self.embedding, self.epochs)
        for _ in range(self.epochs):
            loss = trainer.run_epoch()
            self.done += 1
            if self.progress:
                self.progress(EpochReport(self.done, self.all_epochs, loss))
        return trainer.freeze()


class _Trainer:
    """The network, and the table where it is trained too, on the way."""

    def __init__(
        self, settings: TrainingSettings, learned: Sequence[Call], given: NgramEmbedding | None, epochs: int
    ) -> None:
        self.settings = settings
        self.given = given
        self.learned = learned
        embedding = given or _start_embedding(settings, learned)
        self.random = torch.Generator().manual_seed(settings.seed)
        vocabulary, words, lengths = number_words([words_until(call, LONGEST) for call in learned])
        labels, weights = np.array([call.label for call in learned], dtype=np.float32), weigh_sources(learned)
        self.calls = HeardCalls(
            words,
            lengths,
            labels,
            weights,
            settings.most_words,
            settings.word_dropout,
            np.array([settings.midst_share * (call.source != SOURCE) for call in learned], dtype=np.float32),
            settings.most_words_skipped,
            settings.batch_calls,
        )
        self.embedding = TunableEmbedding(embedding, vocabulary)
        self.network = _fresh_network(embedding.dimensions, self.random)
        if not settings.attention:
            self.network.head.weigh_alike()
        self.model = nn.ModuleDict({"network": self.network, "embedding": self.embedding})
        self.optimizer = self._optimizer(tune=given is None)
        steps = epochs * math.ceil(len(labels) / settings.batch_calls)
        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.optimizer, lambda step: _pace(step, steps))
        self.epochs_left = epochs
        self.settled_epochs = epochs - math.floor(epochs * _SETTLED)
        self.average = AveragedModel(self.model)

    def run_epoch(self) -> float:
        """Return the epoch's mean loss."""
        losses = []
        for batch in self.calls.batches(self.random):
            embedded = _drop(self._embed(batch.words), self.settings.input_dropout, self.random)  # (N, T, D)
            hidden, _ = self.network.lstm(embedded)
            logits = prefix_logits(self.network, _drop(hidden, self.settings.output_dropout, self.random))
            losses.append(self._step(prefix_loss(logits, batch.labels, batch.lengths, batch.weights)))
        self.epochs_left -= 1
        if self.epochs_left < self.settled_epochs:
            self.average.update_parameters(self.model)
        return float(np.mean(losses))

    def freeze(self) -> TrainedDetector:
        """Return the mean of the weights after each settled epoch, with the tables as they ship."""
        self.model.load_state_dict(self.average.module.state_dict())
        embedding = self.given or self.embedding.freeze()
        bag = fit_bag(self.learned, embedding.scheme) if self.settings.bag else NgramBag.silent(embedding.scheme)
        return TrainedDetector(embedding, bag, read_parameters(self.network))

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

    def _step(self, loss: Tensor) -> float:
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_([*self.network.parameters(), self.embedding.table], _LARGEST_GRADIENT)
        self.optimizer.step()
        self.schedule.step()
        return float(loss.detach())


def _start_embedding(settings: TrainingSettings, calls: Sequence[Call]) -> NgramEmbedding:
    words = [split_words(call.transcript) for call in calls]
    return train_embedding(words, settings.scheme, settings.dimensions, settings.seed)


def _lineage(settings: TrainingSettings, calls: Sequence[Call], rehearsal: Rehearsal) -> dict[str, Any]:
    sources = dict(Counter(call.source for call in calls))
    return {"settings": asdict(settings), "calls": sources, "rehearsal": {"loss": rehearsal.loss}}


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
    """Return the learning rate's factor: a short warm-up, all of it until the weights settle, then a cosine down."""
    settled = max(step / steps - _SETTLED, 0.0) / (1 - _SETTLED)
    lowered = _LAST_PACE + (1 - _LAST_PACE) * 0.5 * (1 + math.cos(math.pi * min(settled, 1.0)))
    return min(1.0, (step + 1) / min(_WARM_UP_STEPS, steps * _LONGEST_WARM_UP)) * lowered
