"""Our optimizer beside Opacus's own over Opacus's DPLSTM: the same sums, the same weights under the same noise."""

from __future__ import annotations

import pytest
import torch
from opacus import GradSampleModule
from opacus.optimizers import DPOptimizer
from torch.nn.functional import binary_cross_entropy_with_logits

from fl_client.private_optimizer import CallClippingOptimizer, GridNoiseOptimizer
from models.detector.classifier import Classifier
from models.detector.private_classifier import NoGradientsError, PrivateClassifier
from models.privacy.clipping import SPACINGS_PER_NORM
from models.privacy.randomness import SystemGaussian
from tests.opacus_detector import OpacusDetector

DIMENSIONS, WORDS, CALLS, BATCH = 8, 5, 40, 4
CLIP_NORM = 0.05


def some_calls() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    lengths = torch.randint(1, WORDS + 1, (CALLS,), generator=generator)
    return torch.randn((CALLS, WORDS, DIMENSIONS), generator=generator), lengths, torch.arange(CALLS) % 2 * 1.0


def start_network() -> Classifier:
    torch.manual_seed(0)
    return Classifier(DIMENSIONS)


def settings(noise_multiplier: float) -> dict:
    return {"noise_multiplier": noise_multiplier, "max_grad_norm": CLIP_NORM, "expected_batch_size": BATCH}


def ours(noise_multiplier: float, optimizer=CallClippingOptimizer, **more):
    """Return the private network and our optimizer over it."""
    private = PrivateClassifier(start_network())
    descent = torch.optim.SGD(private.parameters(), lr=1.0)
    return private, optimizer(descent, classifier=private, **settings(noise_multiplier), **more)


def opacus(noise_multiplier: float, **more):
    """Return Opacus's own two; the parameters in our order, so that equal generators give each the same noise."""
    detector, network = OpacusDetector(start_network()), start_network()
    descent = torch.optim.SGD(detector.parameters_as_in(network), lr=1.0)
    return GradSampleModule(detector), DPOptimizer(descent, **settings(noise_multiplier), **more)


def backward(module, rows) -> None:
    embedded, lengths, labels = (part[rows] for part in some_calls())
    binary_cross_entropy_with_logits(module(embedded, lengths), labels).backward()


@pytest.fixture
def after_backward():
    """Both, after the backward pass of the same six calls."""
    made = ours(0.0), opacus(0.0)
    for module, _ in made:
        backward(module, torch.arange(6))
    return [optimizer for _, optimizer in made]


def test_clipped_sums_are_those_of_opacus(after_backward):
    mine, theirs = after_backward
    mine.clip_and_accumulate()
    theirs.clip_and_accumulate()
    for parameter, other in zip(mine.params, theirs.params, strict=True):
        assert torch.allclose(parameter.summed_grad, other.summed_grad, rtol=1e-4, atol=1e-7)


def test_without_noise_the_grid_changes_a_gradient_by_no_more_than_a_spacing(after_backward):
    _, theirs = after_backward
    module, mine = ours(0.0, GridNoiseOptimizer, source=SystemGaussian())
    backward(module, torch.arange(6))
    mine.pre_step()
    theirs.pre_step()
    for parameter, other in zip(mine.params, theirs.params, strict=True):
        assert torch.allclose(parameter.grad, other.grad, rtol=1e-4, atol=1.01 * CLIP_NORM / SPACINGS_PER_NORM + 1e-7)


def weights_after_100_steps(module, optimizer) -> torch.Tensor:
    """Train on Poisson batches, some of them empty, and return all weights, shape (P,)."""
    draws = torch.Generator().manual_seed(3)
    for _ in range(100):
        optimizer.zero_grad()
        backward(module, torch.rand(CALLS, generator=draws) < BATCH / CALLS)
        optimizer.step()
    return torch.cat([parameter.detach().flatten() for parameter in optimizer.params])


def test_100_steps_under_the_same_noise_give_opacus_weights():
    trained = [
        weights_after_100_steps(*made(1.0, generator=torch.Generator().manual_seed(4))) for made in (ours, opacus)
    ]
    assert torch.allclose(*trained, rtol=0, atol=1e-6)
    assert not torch.allclose(trained[0], weights_after_100_steps(*ours(0.0)), atol=1e-2)


def test_noise_is_never_added_twice_to_one_sum():
    module, optimizer = ours(1.0, GridNoiseOptimizer, source=SystemGaussian())
    backward(module, torch.arange(6))
    optimizer.clip_and_accumulate()
    optimizer.add_noise()
    with pytest.raises(ValueError, match="zero_grad"):
        optimizer.add_noise()


def test_no_step_is_taken_twice_on_one_batch():
    module, optimizer = ours(1.0)
    backward(module, torch.arange(6))
    optimizer.step()
    with pytest.raises(NoGradientsError):
        optimizer.step()
