"""Masks: uniform vectors modulo 2^32 from a cipher stream (ChaCha20) under a key of 256 bits that is used once."""

from __future__ import annotations

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20
from numpy.typing import NDArray

Words = NDArray[np.uint32]
"""A vector of whole numbers modulo 2^32; numpy's sums of them wrap around, which is what is wanted."""

WORD = np.dtype("<u4")


class MaskStream:
    """Expands keys to masks of one length and adds them, without making room for each anew."""

    def __init__(self, length: int) -> None:
        """Make room for one mask of ``length`` words."""
        self._zeros = bytes(WORD.itemsize * length)
        self._stream = bytearray(WORD.itemsize * length)
        self._mask = np.frombuffer(self._stream, WORD)

    def add(self, vector: Words, key: bytes) -> None:
        """Add the mask of a key to a vector, in place."""
        self._expand(key)
        vector += self._mask

    def subtract(self, vector: Words, key: bytes) -> None:
        """Take the mask of a key from a vector, in place."""
        self._expand(key)
        vector -= self._mask

    def _expand(self, key: bytes) -> None:
        # A key makes one mask in its life, so that the nonce and counter may start at zero.
        Cipher(ChaCha20(key, bytes(16)), mode=None).encryptor().update_into(self._zeros, self._stream)
