"""A random rotation that spreads a vector's length evenly over its coordinates: signs, then Hadamard, block by block.

Source: Kairouz, Liu, Steinke 2021, section 4.1. Here the transform works on blocks, so that a vector grows by less than
one block, and not to the next power of two.
"""

from __future__ import annotations

import hashlib
import math

import numpy as np
from numpy.typing import NDArray

BLOCK = 4096
"""Coordinates that are mixed with one another; the root of it is a whole number."""

PEAK = 0.13
"""Of 2^17 coordinates of a rotated vector none passes this share of its norm, but with probability 3e-10 (Hoeffding:
2^18 * exp(-PEAK^2 * BLOCK / 2)) over the signs."""


def padded_length(length: int) -> int:
    """Return the length that a vector has once it is rotated."""
    return math.ceil(length / BLOCK) * BLOCK


def draw_signs(seed: bytes, length: int) -> NDArray[np.float64]:
    """Return +1 and -1 as a public seed determines them, shape (length,); a multiple of 8."""
    bits = np.unpackbits(np.frombuffer(hashlib.shake_256(b"signs" + seed).digest(length // 8), np.uint8))
    return 1.0 - 2.0 * bits.astype(np.float64)


def rotate(vector: NDArray[np.float64], signs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a rotated vector of the same L2 norm, padded with zeros to the signs' length."""
    padded = np.zeros(len(signs))
    padded[: len(vector)] = vector
    return _transform(padded * signs)


def rotate_back(rotated: NDArray[np.float64], signs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return what ``rotate`` was given, with its padding."""
    return _transform(rotated) * signs


def _transform(vector: NDArray[np.float64]) -> NDArray[np.float64]:
    """Walsh-Hadamard transform of each block, scaled so that it is its own inverse.

    Not as a matrix product: its sums depend on the number of threads, and a seeded run must not.
    """
    step, values = 1, vector
    while step < BLOCK:
        pairs = values.reshape(-1, 2, step)
        values = np.stack([pairs[:, 0] + pairs[:, 1], pairs[:, 0] - pairs[:, 1]], axis=1)
        step *= 2
    return np.multiply(values.reshape(-1), 1.0 / math.isqrt(BLOCK))
