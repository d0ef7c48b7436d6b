"""A clipping norm that follows a quantile of the updates' norms, under a share of the privacy budget.

Source: Andrew, Thakkar, McMahan and Ramaswamy 2021, "Differentially private learning with adaptive clipping",
algorithm 1 and theorem 1.
"""

from __future__ import annotations

import math

import numpy as np

from models.domain.privacy import AdaptiveClipping, PersonPrivacy
from models.privacy.clipping import SPACINGS_PER_NORM
from models.privacy.randomness import GaussianSource

UNCLIPPED_BELOW = 1 - 1e-6
"""A clipped update's norm is the limit but for float32's rounding; what is shorter than this was not clipped."""


def update_noise_multiplier(privacy: PersonPrivacy) -> float:
    """Return the noise multiplier of the sum of updates that leaves the count its share (theorem 1).

    z_update = (z^-2 - (2 sigma_b)^-2)^-1/2: with it, noised sum and noised count together spend what one sum with
    multiplier z spends. With a fixed norm it is z.
    """
    if privacy.adaptive is None:
        return privacy.noise_multiplier
    return 1 / math.sqrt(privacy.noise_multiplier**-2 - (2 * privacy.adaptive.bit_noise) ** -2)


def noised_share(balance: int, adaptive: AdaptiveClipping, source: GaussianSource, cohort: int, divisor: int) -> float:
    """Return the noised share of a cohort's updates that are no longer than the norm.

    Each update counts one half or minus one half, so that one person moves the sum by one half at most. Like the sum
    of updates it is divided by the cohort that is expected, not by the replies that came.

    Args:
        balance: Updates no longer than the norm, minus longer ones.
        adaptive: Holds the noise on the count.
        source: Where the noise comes from.
        cohort: Devices that the noise is calibrated to.
        divisor: Devices expected: ``cohort``, or the simulated cohort that stands for it.
    """
    deviation = adaptive.bit_noise * divisor / cohort
    # On a grid, as the updates are: see models/privacy/clipping.py.
    noise = int(np.rint(deviation * SPACINGS_PER_NORM * source.standard_normal(1)[0]))
    return 0.5 + (balance * SPACINGS_PER_NORM // 2 + noise) / SPACINGS_PER_NORM / divisor


def next_clip_norm(clip_norm: float, share: float, adaptive: AdaptiveClipping) -> float:
    """Return the next round's norm: C exp(-eta (b - gamma)), kept within the agreed limits."""
    step = -adaptive.learning_rate * (min(max(share, 0.0), 1.0) - adaptive.quantile)
    return min(max(clip_norm * math.exp(step), adaptive.smallest), adaptive.largest)
