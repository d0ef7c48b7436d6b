"""From the devices' updates to the next global model: fold, noise, divide by the target cohort, step with momentum.

Source: McMahan et al. 2018 (DP-FedAvg, fixed-denominator estimator) and Hsu et al. 2019 (server momentum).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.domain.privacy import PersonPrivacy
from models.errors import UpdateRefusedError
from models.privacy.clipping import SPACINGS_PER_NORM, clip_update, to_grid, update_norm
from models.privacy.randomness import GaussianSource
from models.privacy.vectors import flatten, require_same_layout

TOLERATED_EXCESS = 1e-3
"""A device clips in float32, so its norm may pass the limit by rounding. More is not rounding."""

LARGEST_UNCLIPPED_NORM = 4096.0
"""No training moves a detector that far. Sums of a million such updates still fit the grid's 64-bit numbers."""


@dataclass(frozen=True, slots=True)
class ServerStep:
    """How the mean update moves the global model.

    Attributes:
        learning_rate: Factor on the smoothed update.
        momentum: Share of the last smoothed update that is kept, in [0, 1).
    """

    learning_rate: float
    momentum: float


class UpdateSum:
    """The running sum of one round's updates. Memory doesn't grow with the cohort.

    Updates lie on a grid of whole numbers, so their sum is exact and doesn't depend on the order in which they come.
    """

    def __init__(self, like: Mapping[str, NDArray[np.float32]], clip_norm: float | None) -> None:
        """Start at zero.

        Args:
            like: The global model's arrays; every update must have their names, shapes and type.
            clip_norm: Largest L2 norm of an update; ``None`` where persons are not protected.
        """
        self._like, self._clip_norm = like, clip_norm
        self._spacing = (1.0 if clip_norm is None else clip_norm) / SPACINGS_PER_NORM
        self._largest_norm = LARGEST_UNCLIPPED_NORM if clip_norm is None else clip_norm * (1 + TOLERATED_EXCESS)
        self._sum = np.zeros(sum(array.size for array in like.values()), dtype=np.int64)
        self.folded = 0

    def fold(self, update: Mapping[str, NDArray[np.float32]]) -> None:
        """Add one device's update.

        Raises:
            UpdateRefusedError: Another layout, a value that is not finite, or a norm above the limit. The sum stays.
        """
        require_same_layout(update, self._like)
        vector = flatten(update)
        norm = update_norm(vector)
        if norm > self._largest_norm:
            raise UpdateRefusedError("too_large")
        if self._clip_norm is not None:
            vector = clip_update(vector, self._clip_norm)
        self._sum += to_grid(vector, self._spacing)
        self.folded += 1

    def mean(self) -> NDArray[np.float64]:
        """Return the plain mean of the updates, shape (P,). Protects nobody; for runs without user-level privacy."""
        return self._sum.astype(np.float64) * (self._spacing / max(self.folded, 1))

    def private_mean(
        self, privacy: PersonPrivacy, source: GaussianSource, simulated_cohort: int | None
    ) -> NDArray[np.float64]:
        """Return the sum with Gaussian noise, divided by the cohort that the noise is calibrated to, shape (P,).

        Args:
            privacy: The plan; its clipping norm must be the one that updates were folded under.
            source: Where the noise comes from.
            simulated_cohort: Expected size of a simulated cohort that stands for ``privacy.cohort`` devices: the noise
                on the mean is that of the larger cohort (Granqvist et al. 2024). ``None`` for real cohorts.
        """
        divisor = privacy.cohort if simulated_cohort is None else simulated_cohort
        sigma = privacy.noise_multiplier * SPACINGS_PER_NORM * divisor / privacy.cohort
        noise = np.rint(sigma * source.standard_normal(self._sum.size)).astype(np.int64)
        return (self._sum + noise).astype(np.float64) * (self._spacing / divisor)


def step_global_model(
    model: NDArray[np.float64], smoothed: NDArray[np.float64], mean_update: NDArray[np.float64], step: ServerStep
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the next global model and the next smoothed update, both of shape (P,)."""
    smoothed = step.momentum * smoothed + (1 - step.momentum) * mean_update
    return model + step.learning_rate * smoothed, smoothed
