"""Opacus's optimizer, with our gradients and our noise: what is ours in DP-SGD meets Opacus in this file alone."""

from __future__ import annotations

import logging
import warnings
from typing import Any

import torch
from opacus import PrivacyEngine
from opacus.optimizers import DPOptimizer
from opacus.optimizers.optimizer import _check_processed_flag, _mark_as_processed
from torch import nn

from models.detector.private_classifier import PrivateClassifier
from models.privacy.clipping import SPACINGS_PER_NORM
from models.privacy.randomness import GaussianSource

# Opacus's sampler warns where a first batch is empty; here such a batch takes its step like any other.
logging.getLogger("opacus.data_loader").setLevel(logging.ERROR)


class CallClippingOptimizer(DPOptimizer):  # type: ignore[misc]
    """Opacus's optimizer over sums that the network has clipped itself; the noise is Opacus's own, torch's."""

    def __init__(self, *args: Any, classifier: PrivateClassifier, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._classifier = classifier

    @property
    def grad_samples(self) -> list[nn.Parameter]:
        """Opacus asks whether there is anything to clip: as many as there are parameters."""
        return list(self.params)

    @property
    def accumulated_iterations(self) -> int:
        """Backward passes in a step: always one."""
        return 1

    def clip_and_accumulate(self) -> None:
        """Set the clipped sums.

        Raises:
            NoGradientsError: No backward pass since the last time.
        """
        averaged = self.loss_reduction == "mean"
        sums = self._classifier.sum_clipped_gradients(self.max_grad_norm, averaged=averaged)
        for parameter, clipped in zip(self.params, sums, strict=True):
            parameter.summed_grad = clipped


class GridNoiseOptimizer(CallClippingOptimizer):
    """The same with noise from our source, on a grid that hides floating point's low bits (Mironov 2012).

    The clipped sum is rounded to the grid once, after float32 has added it up. One call can therefore move it by the
    clipping norm and by rounding, about a ten-millionth of the norm for each call in the batch; the accountant is told
    of the clipping norm.
    """

    def __init__(self, *args: Any, source: GaussianSource, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._source = source

    def add_noise(self) -> None:
        """Round the clipped sums to the grid and add noise rounded to it."""
        spacing = self.max_grad_norm / SPACINGS_PER_NORM
        for parameter in self.params:
            _check_processed_flag(parameter.summed_grad)
            noise = torch.from_numpy(self._source.standard_normal(parameter.numel())).view_as(parameter)
            noise.mul_(self.noise_multiplier * SPACINGS_PER_NORM).round_()
            on_grid = parameter.summed_grad.double().div_(spacing).trunc_()
            parameter.grad = on_grid.add_(noise).mul_(spacing).to(parameter.dtype)
            _mark_as_processed(parameter.summed_grad)


class CallPrivacyEngine(PrivacyEngine):  # type: ignore[misc]
    """Opacus's engine, with its Poisson sampler and its PRV accountant, building our optimizer."""

    def __init__(self, classifier: PrivateClassifier, source: GaussianSource) -> None:
        with warnings.catch_warnings():
            # The warning is about Opacus's own noise; ours is drawn from ``source``.
            warnings.filterwarnings("ignore", "Secure RNG turned off")
            super().__init__(accountant="prv")
        self._classifier, self._source = classifier, source

    def _prepare_optimizer(self, *, optimizer: torch.optim.Optimizer, **settings: Any) -> GridNoiseOptimizer:
        kept = ("noise_multiplier", "max_grad_norm", "expected_batch_size", "loss_reduction")
        chosen = {name: settings[name] for name in kept}
        return GridNoiseOptimizer(optimizer, classifier=self._classifier, source=self._source, **chosen)
