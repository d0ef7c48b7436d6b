"""Each call's own gradient, clipped and added up: held against plain autograd, a call at a time."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import binary_cross_entropy_with_logits

from models.detector.classifier import Classifier
from models.detector.private_classifier import CALLS_PER_PASS, NoGradientsError, PrivateClassifier

DIMENSIONS = 4
NO_CLIP = 1e9

counts = st.integers(1, 20)
clip_norms = st.floats(1e-3, 10.0)


def some_network(seed: int = 0) -> Classifier:
    torch.manual_seed(seed)
    return Classifier(DIMENSIONS)


def some_calls(count: int, words: int = 5, seed: int = 0):
    """Return embedded words (N, T, D), lengths of 1 to T, labels; what stands beyond a length is not zero."""
    generator = torch.Generator().manual_seed(seed + 1000 * count)
    embedded = torch.randn((count, words, DIMENSIONS), generator=generator)
    lengths = torch.randint(1, words + 1, (count,), generator=generator)
    return embedded, lengths, torch.randint(0, 2, (count,), generator=generator).float()


def flat(gradients) -> torch.Tensor:
    return torch.cat([gradient.flatten() for gradient in gradients])


def gradient_by_autograd(network: Classifier, calls) -> torch.Tensor:
    """Return the gradient of the mean loss over calls, shape (P,)."""
    embedded, lengths, labels = calls
    loss = binary_cross_entropy_with_logits(network(embedded, lengths)[0], labels)
    return flat(torch.autograd.grad(loss, list(network.parameters())))


def clipped_sum(network: Classifier, calls, clip_norm: float, reduction: str = "mean") -> torch.Tensor:
    embedded, lengths, labels = calls
    private = PrivateClassifier(network)
    binary_cross_entropy_with_logits(private(embedded, lengths), labels, reduction=reduction).backward()
    return flat(private.sum_clipped_gradients(clip_norm, averaged=reduction == "mean"))


def one_by_one(calls) -> list[tuple[torch.Tensor, ...]]:
    return [tuple(part[place : place + 1] for part in calls) for place in range(len(calls[0]))]


def test_logits_are_the_classifiers_own():
    network, (embedded, lengths, _) = some_network(), some_calls(CALLS_PER_PASS + 3)
    assert torch.allclose(PrivateClassifier(network)(embedded, lengths), network(embedded, lengths)[0], atol=1e-6)


def test_parameters_are_the_classifiers_own_under_its_names():
    network = some_network()
    ours, theirs = list(PrivateClassifier(network).named_parameters()), list(network.named_parameters())
    assert [name for name, _ in ours] == [name for name, _ in theirs]
    assert all(mine is other for (_, mine), (_, other) in zip(ours, theirs, strict=True))


def test_at_300_dimensions_it_has_the_papers_93826_parameters():
    assert sum(parameter.numel() for parameter in PrivateClassifier(Classifier(300)).parameters()) == 93_826


@settings(max_examples=25)
@given(counts, st.sampled_from(["mean", "sum"]))
def test_gradients_that_are_not_clipped_add_up_to_the_batchs(count, reduction):
    network, calls = some_network(), some_calls(count)
    expected = count * gradient_by_autograd(network, calls)
    assert torch.allclose(clipped_sum(network, calls, NO_CLIP, reduction), expected, rtol=1e-4, atol=1e-5)


@settings(max_examples=25)
@given(counts, clip_norms)
def test_the_sum_is_that_of_each_calls_gradient_by_itself_clipped(count, clip_norm):
    network, calls = some_network(), some_calls(count)
    alone = [gradient_by_autograd(network, call) for call in one_by_one(calls)]
    expected = sum(gradient * min(1.0, clip_norm / float(gradient.norm())) for gradient in alone)
    assert torch.allclose(clipped_sum(network, calls, clip_norm), expected, rtol=1e-4, atol=1e-5)


@settings(max_examples=25)
@given(counts, clip_norms, st.data())
def test_one_call_moves_the_sum_by_no_more_than_the_clipping_norm(count, clip_norm, data):
    network, calls = some_network(), some_calls(count + 1)
    out = data.draw(st.integers(0, count))
    others = [place for place in range(count + 1) if place != out]
    moved = clipped_sum(network, calls, clip_norm) - clipped_sum(network, [part[others] for part in calls], clip_norm)
    assert float(moved.norm()) <= clip_norm * (1 + 1e-4) + 1e-5


def test_a_call_that_is_over_the_norm_is_scaled_down_to_it_and_no_further():
    network = some_network()
    for call in one_by_one(some_calls(10)):
        assert 0.999 * 0.01 < float(clipped_sum(network, call, 0.01).norm()) <= 0.01 * (1 + 1e-6)


@settings(max_examples=15)
@given(counts, st.integers(1, 4))
def test_padding_changes_nothing_whatever_stands_in_it(count, more):
    network, (embedded, lengths, labels) = some_network(), some_calls(count)
    padded = torch.cat((embedded, torch.full((count, more, DIMENSIONS), 7.0)), dim=1)
    sums = [clipped_sum(network, (words, lengths, labels), 0.05) for words in (embedded, padded)]
    assert torch.allclose(*sums, rtol=1e-5, atol=1e-7)


def test_more_calls_than_go_through_at_once_are_all_counted_once():
    network, calls = some_network(), some_calls(2 * CALLS_PER_PASS + 5)
    parts = zip(*(part.split(CALLS_PER_PASS) for part in calls), strict=True)
    expected = sum(clipped_sum(network, part, 0.05) for part in parts)
    assert torch.allclose(clipped_sum(network, calls, 0.05), expected, rtol=1e-4, atol=1e-5)


def test_an_empty_batch_sums_to_zero():
    gradients = clipped_sum(some_network(), some_calls(0), 1.0)
    assert gradients.shape == (sum(parameter.numel() for parameter in some_network().parameters()),)
    assert not gradients.any()


def test_gradients_of_a_batch_are_given_out_once():
    network, (embedded, lengths, labels) = some_network(), some_calls(3)
    private = PrivateClassifier(network)
    with pytest.raises(NoGradientsError):
        private.sum_clipped_gradients(1.0, averaged=True)
    loss = binary_cross_entropy_with_logits(private(embedded, lengths), labels)
    with pytest.raises(NoGradientsError):  # not before backward either
        private.sum_clipped_gradients(1.0, averaged=True)
    loss.backward()
    private.sum_clipped_gradients(1.0, averaged=True)
    with pytest.raises(NoGradientsError):
        private.sum_clipped_gradients(1.0, averaged=True)


def test_autograd_gives_the_parameters_no_gradient_that_was_not_clipped():
    network, (embedded, lengths, labels) = some_network(), some_calls(3)
    binary_cross_entropy_with_logits(PrivateClassifier(network)(embedded, lengths), labels).backward()
    assert all(parameter.grad is None for parameter in network.parameters())
