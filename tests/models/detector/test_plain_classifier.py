"""The own plain step against torch's: nn.LSTM with autograd and its optimizer."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from models.detector.classifier import Classifier
from models.detector.parameters import read_parameters
from models.detector.plain_classifier import PlainClassifier
from models.errors import ModelFileError

RATE, VISHING_WEIGHT = 0.5, 2.0


@pytest.fixture(autouse=True)
def same_weights() -> None:
    """Let networks start alike in each run: by how much two sums may round apart depends on their weights."""
    torch.manual_seed(1)


def random_batch(calls: int, words: int, dimensions: int):
    generator = torch.Generator().manual_seed(calls)
    lengths = torch.randint(1, words + 1, (calls,), generator=generator)
    embedded = torch.randn(calls, words, dimensions, generator=generator)
    embedded[torch.arange(words).unsqueeze(0) >= lengths.unsqueeze(1)] = 0
    return embedded, lengths, np.arange(calls, dtype=np.float32) % 2


def calls_of(embedded, lengths) -> list[np.ndarray]:
    """Return a batch as single calls (T, D), without their padding."""
    return [words[:length].numpy() for words, length in zip(embedded, lengths, strict=True)]


def step_of_torch(network: Classifier, embedded, lengths, labels) -> None:
    optimizer = torch.optim.SGD(network.parameters(), lr=RATE)
    logits, _ = network(embedded, lengths)
    binary_cross_entropy_with_logits(
        logits, torch.from_numpy(labels), pos_weight=torch.tensor(VISHING_WEIGHT)
    ).backward()
    optimizer.step()
    optimizer.zero_grad()


@pytest.mark.parametrize(("calls", "words", "dimensions"), [(1, 1, 3), (8, 51, 64), (11, 20, 300), (70, 9, 8)])
def test_after_ten_steps_the_weights_are_those_of_torch(calls, words, dimensions):
    network, batch = Classifier(dimensions), random_batch(calls, words, dimensions)
    own = PlainClassifier(read_parameters(network), dimensions)
    begun = torch.cat([parameter.detach().flatten() for parameter in network.parameters()])
    for _ in range(10):
        own.step(calls_of(*batch[:2]), batch[2], VISHING_WEIGHT, RATE)
        step_of_torch(network, *batch)
    theirs = torch.cat([parameter.detach().flatten() for parameter in network.parameters()])
    assert float((theirs - begun).abs().max()) > 0.01
    assert float((begun + own.update - theirs).abs().max()) < 1e-6


def test_the_given_parameters_stay_as_they_are():
    parameters = read_parameters(Classifier(3))
    kept = {name: array.copy() for name, array in parameters.items()}
    embedded, lengths, labels = random_batch(4, 5, 3)
    PlainClassifier(parameters, 3).step(calls_of(embedded, lengths), labels, VISHING_WEIGHT, RATE)
    assert all(np.array_equal(parameters[name], kept[name]) for name in kept)


def test_what_lay_in_memory_before_adds_nothing(monkeypatch):
    """Room for padding isn't zero by itself, and what is nothing there still makes nothing of a sum."""
    parameters, (embedded, lengths, labels) = read_parameters(Classifier(3)), random_batch(5, 40, 3)
    updates = []
    for empty in (np.empty, lambda shape, dtype: np.full(shape, np.nan, dtype)):
        monkeypatch.setattr(np, "empty", empty)
        classifier = PlainClassifier(parameters, 3)
        classifier.step(calls_of(embedded, lengths), labels, VISHING_WEIGHT, RATE)
        updates.append(classifier.update)
    assert np.array_equal(*updates)


def test_a_call_that_is_trained_on_alone_gets_its_share_of_a_batch_whatever_the_others_lengths_are():
    """Longer calls pad it and an odd batch is filled up: neither adds to its gradient."""
    parameters = read_parameters(Classifier(3))
    embedded, lengths, labels = random_batch(5, 40, 3)
    together, alone = PlainClassifier(parameters, 3), np.zeros_like(PlainClassifier(parameters, 3).update)
    calls = calls_of(embedded, lengths)
    together.step(calls, labels, VISHING_WEIGHT, RATE)
    for call, label in zip(calls, labels, strict=True):
        one = PlainClassifier(parameters, 3)
        one.step([call], np.array([label]), VISHING_WEIGHT, RATE)
        alone += one.update / len(calls)
    assert len(set(map(len, calls))) > 2
    assert float(np.abs(together.update - alone).max()) < 1e-7


@pytest.mark.parametrize("dimensions", [2, 4])
def test_parameters_of_another_layout_are_refused(dimensions):
    with pytest.raises(ModelFileError, match="expected"):
        PlainClassifier(read_parameters(Classifier(3)), dimensions)
