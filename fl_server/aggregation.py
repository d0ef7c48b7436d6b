"""From the devices' updates to the next global model: fold, noise, divide by the target cohort, step with momentum.

Sources: McMahan et al. 2018 (DP-FedAvg, fixed-denominator estimator); Hsu et al. 2019 (server momentum); Andrew et al.
2021 (adaptive clipping).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.domain.privacy import PersonPrivacy
from models.errors import UpdateRefusedError
from models.privacy.adaptive_clipping import UNCLIPPED_BELOW, noised_share, update_noise_multiplier
from models.privacy.clipping import SPACINGS_PER_NORM, clip_update, to_grid, update_norm
from models.privacy.randomness import GaussianSource
from models.privacy.vectors import require_vector

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

    def __init__(self, parameters: int, clip_norm: float | None) -> None:
        """Start at zero.

        Args:
            parameters: Of the global model; every update must have as many.
            clip_norm: Largest L2 norm of an update; ``None`` where persons are not protected.
        """
        self._clip_norm = clip_norm
        self._spacing = (1.0 if clip_norm is None else clip_norm) / SPACINGS_PER_NORM
        self._largest_norm = LARGEST_UNCLIPPED_NORM if clip_norm is None else clip_norm * (1 + TOLERATED_EXCESS)
        self._sum = np.zeros(parameters, dtype=np.int64)
        self.folded = 0
        self._unclipped = 0

    def fold(self, update: NDArray[np.float32]) -> None:
        """Add one device's update, shape (P,).

        Raises:
            UpdateRefusedError: Another shape or type, a value that is not finite, or a norm above the limit. The sum
                stays.
        """
        vector, norm = checked_vector(update, self._sum.size, self._largest_norm)
        if self._clip_norm is not None:
            vector = clip_update(vector, self._clip_norm, norm)
            self._unclipped += norm < self._clip_norm * UNCLIPPED_BELOW
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
        deviation = noise_spacings(privacy, simulated_cohort)
        noise = np.rint(deviation * source.standard_normal(self._sum.size)).astype(np.int64)
        return self.noised_mean(noise, divisor)

    def noised_mean(self, noise: NDArray[np.int64], divisor: int) -> NDArray[np.float64]:
        """Return the sum with noise in grid spacings, both of shape (P,), divided by a number of devices."""
        return (self._sum + noise).astype(np.float64) * (self._spacing / divisor)

    def noised_unclipped_share(
        self, privacy: PersonPrivacy, source: GaussianSource, simulated_cohort: int | None
    ) -> float:
        """Return the noised share of updates that were no longer than the norm; the plan clips adaptively.

        The server tells by an update's own length: a device says nothing more than the update.
        """
        assert privacy.adaptive is not None
        balance = 2 * self._unclipped - self.folded
        divisor = privacy.cohort if simulated_cohort is None else simulated_cohort
        return noised_share(balance, privacy.adaptive, source, privacy.cohort, divisor)


def checked_vector(
    update: NDArray[np.float32], parameters: int, largest_norm: float
) -> tuple[NDArray[np.float64], float]:
    """Return an update of shape (P,) in doubles, and its L2 norm.

    Raises:
        UpdateRefusedError: Another shape or type, a value that is not finite, or a norm above the limit.
    """
    require_vector(update, parameters)
    vector = update.astype(np.float64)
    norm = update_norm(vector)
    if norm > largest_norm:
        raise UpdateRefusedError("too_large")
    return vector, norm


def noise_spacings(privacy: PersonPrivacy, simulated_cohort: int | None) -> float:
    """Return the standard deviation of the noise on a sum, in grid spacings."""
    scale = 1.0 if simulated_cohort is None else simulated_cohort / privacy.cohort
    return update_noise_multiplier(privacy) * SPACINGS_PER_NORM * scale


def step_global_model(
    model: NDArray[np.float64], smoothed: NDArray[np.float64], mean_update: NDArray[np.float64], step: ServerStep
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the next global model and the next smoothed update, both of shape (P,)."""
    smoothed = step.momentum * smoothed + (1 - step.momentum) * mean_update
    return model + step.learning_rate * smoothed, smoothed
