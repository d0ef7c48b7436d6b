"""A check of noise that can fail: it accepts Gaussian noise of the right scale and rejects one wrong by 30 %."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import kstest

ALPHA = 1e-9
"""Probability with which right noise is rejected. Of 5,000 values it takes a scale wrong by 30 % for right more rarely
than once in ten million times, of more values never."""


def is_gaussian_noise(values: NDArray[np.float64], deviation: float) -> bool:
    """Say whether values look like independent Gaussian noise of this standard deviation."""
    return bool(kstest(values / deviation, "norm").pvalue > ALPHA)
