"""The own plain step against torch's: nn.LSTM with autograd and its optimizer."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from models.detector.classifier import Classifier
from models.detector.parameters import read_parameters
from models.detector.plain_classifier import KeptMemory, PlainClassifier
from models.errors import ModelFileError

RATE, VISHING_WEIGHT = 0.5, 2.0


def random_batch(calls: int, words: int, dimensions: int):
    generator = torch.Generator().manual_seed(calls)
    lengths = torch.randint(1, words + 1, (calls,), generator=generator)
    embedded = torch.randn(calls, words, dimensions, generator=generator)
    embedded[torch.arange(words).unsqueeze(0) >= lengths.unsqueeze(1)] = 0
    return embedded, lengths, torch.arange(calls) % 2 * 1.0


def calls_of(embedded, lengths) -> list[np.ndarray]:
    """Return a batch as single calls (T, D), without their padding."""
    return [words[:length].numpy() for words, length in zip(embedded, lengths, strict=True)]


def step_of_torch(network: Classifier, embedded, lengths, labels) -> None:
    optimizer = torch.optim.SGD(network.parameters(), lr=RATE)
    logits, _ = network(embedded, lengths)
    binary_cross_entropy_with_logits(logits, labels, pos_weight=torch.tensor(VISHING_WEIGHT)).backward()
    optimizer.step()
    optimizer.zero_grad()


@pytest.mark.parametrize(("calls", "words", "dimensions"), [(1, 1, 3), (8, 51, 64), (11, 20, 300)])
def test_after_ten_steps_the_weights_are_those_of_torch(calls, words, dimensions):
    torch.manual_seed(1)
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


def test_memory_that_is_kept_between_devices_changes_no_bit():
    """More sizes of batches than are kept, long ones before short ones: nothing of an earlier device is left."""
    parameters, kept = read_parameters(Classifier(3)), KeptMemory(batches=2)
    for calls, words in ((4, 40), (4, 5), (2, 33), (3, 17), (4, 31), (4, 40)):
        embedded, lengths, labels = random_batch(calls, words, 3)
        alone, after_others = PlainClassifier(parameters, 3), PlainClassifier(parameters, 3, kept)
        for classifier in (alone, after_others):
            for _ in range(2):
                classifier.step(calls_of(embedded, lengths), labels, VISHING_WEIGHT, RATE)
        assert torch.equal(alone.update, after_others.update)


@pytest.mark.parametrize("dimensions", [2, 4])
def test_parameters_of_another_layout_are_refused(dimensions):
    with pytest.raises(ModelFileError, match="expected"):
        PlainClassifier(read_parameters(Classifier(3)), dimensions)
