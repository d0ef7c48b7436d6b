"""The calls of the benched devices: what ours and the peer's train on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

COHORT, CALLS, WORDS, DIMENSIONS = 200, 8, 51, 300
"""Devices of a round, calls of a device, words of a call, dimensions of a word."""

LEARNING_RATE, CLIP_NORM, NOISE_MULTIPLIER = 0.1, 1.0, 0.8


def embedded_calls() -> NDArray[np.float32]:
    """Return random calls of every device, shape (COHORT, CALLS, WORDS, DIMENSIONS)."""
    return np.random.default_rng(1).standard_normal((COHORT, CALLS, WORDS, DIMENSIONS), dtype=np.float32)


def labels() -> NDArray[np.float32]:
    """Return each call's label on every device, shape (CALLS,): half of them vishing."""
    return np.arange(CALLS, dtype=np.float32) % 2
