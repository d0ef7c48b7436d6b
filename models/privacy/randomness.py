"""Where randomness comes from: the operating system for people, a seed for tests and simulations.

Noise that protects people is a cipher stream (ChaCha20) under a fresh key of the operating system's generator. A seeded
source exists so that a resumed simulation equals an uninterrupted one; a run with people's devices must not be given a
seed.
"""

from __future__ import annotations

import os
import zlib
from typing import Protocol

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20
from numpy.typing import NDArray


class WordSource(Protocol):
    """A source of independent uniform 64-bit words."""

    def words(self, count: int) -> NDArray[np.uint64]:
        """Return ``count`` words, shape (count,)."""
        ...


class SystemWords:
    """Words of a ChaCha20 stream keyed by the operating system."""

    def __init__(self) -> None:
        # The key is never reused, so the nonce may be zero. Its first bytes count blocks: from zero on a source has
        # 256 GiB, from a random count now and then none.
        self._stream = Cipher(ChaCha20(os.urandom(32), bytes(16)), mode=None).encryptor()

    def words(self, count: int) -> NDArray[np.uint64]:
        """Return ``count`` words, shape (count,)."""
        return np.frombuffer(self._stream.update(bytes(8 * count)), dtype=np.uint64)


class SeededWords:
    """Words that a seed determines; they protect nobody."""

    def __init__(self, generator: np.random.Generator) -> None:
        self._generator = generator

    def words(self, count: int) -> NDArray[np.uint64]:
        """Return ``count`` words, shape (count,)."""
        return self._generator.integers(0, 2**64, count, dtype=np.uint64)


class GaussianSource(Protocol):
    """A source of independent standard normal numbers."""

    def standard_normal(self, count: int) -> NDArray[np.float64]:
        """Return ``count`` numbers, shape (count,)."""
        ...


PAIRS_AT_ONCE = 8192
"""Pairs of normals made together: what is held meanwhile stays in the processor's cache."""


class SystemGaussian:
    """Standard normals by Box and Muller (1958) from a ChaCha20 stream keyed by the operating system."""

    def __init__(self) -> None:
        self._source = SystemWords()

    def standard_normal(self, count: int) -> NDArray[np.float64]:
        """Return ``count`` numbers, shape (count,). The tails end beyond 13 standard deviations."""
        noise = np.empty(count + count % 2)
        for start in range(0, count, 2 * PAIRS_AT_ONCE):
            pairs = noise[start : start + 2 * PAIRS_AT_ONCE].reshape(2, -1)
            high, low, turn = self._source.words(3 * pairs.shape[1]).reshape(3, -1)
            pairs[:] = np.sqrt(-2.0 * np.log(open_unit(high, low))) * cosine_and_sine(turn)
        return noise[:count]


def open_unit(high: NDArray[np.uint64], low: NDArray[np.uint64]) -> NDArray[np.float64]:
    """Return numbers in (0, 1] made of 128 random bits each, never zero, so that their logarithm is finite.

    With 53 bits the smallest numbers lie so far apart that the largest noises fall on rings wider than the grid that
    noise is rounded to; who knows the rings can tell two sums apart more often than delta allows. With 128 bits the
    relative step is that of a double everywhere.
    """
    return high.astype(np.float64) * 2.0**-64 + (low.astype(np.float64) + 1.0) * 2.0**-128


def cosine_and_sine(turn: NDArray[np.uint64]) -> NDArray[np.float64]:
    """Return cosine and sine of an angle, shape (2, N), whole turns being split into 2**64 parts.

    Both follow from the tangent of half the angle: one slow function instead of two, and never a division by zero.
    """
    tangent = np.tan(turn.view(np.int64) * (np.pi * 2.0**-64))
    above = 2.0 / (1.0 + tangent * tangent)  # 1 + cosine
    return np.stack([above - 1.0, above * tangent])


class SeededGaussian:
    """Standard normals that a seed determines; protects nobody."""

    def __init__(self, generator: np.random.Generator) -> None:
        self._generator = generator

    def standard_normal(self, count: int) -> NDArray[np.float64]:
        """Return ``count`` numbers, shape (count,)."""
        return self._generator.standard_normal(count)


def seeded_generator(seed: int, round_number: int, device: int, purpose: str) -> np.random.Generator:
    """Return the generator of one purpose on one device in one round. Equal arguments give equal streams."""
    words = [seed, round_number, device, zlib.crc32(purpose.encode())]
    # NumPy makes the same stream of both, and takes an array of words at once.
    return np.random.default_rng(np.array(words, np.uint32) if max(words) < 2**32 else words)
