"""Named arrays as one flat vector: clipping and noise act on the whole update, not on its layers."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from models.errors import UpdateRefusedError

Arrays = dict[str, NDArray[np.float32]]
"""Name to array, in the network's own order."""


def flatten(arrays: Mapping[str, NDArray[np.float32]]) -> NDArray[np.float64]:
    """Return all values in one vector of shape (P,), in the order of the names given."""
    return np.concatenate([np.ravel(array) for array in arrays.values()], dtype=np.float64)


def unflatten(vector: NDArray[np.float32] | NDArray[np.float64], like: Mapping[str, NDArray[np.float32]]) -> Arrays:
    """Return a vector of shape (P,) as arrays named and shaped as ``like``.

    Of a float32 vector they are views: what is written to them is written to it.
    """
    ends = itertools.accumulate(array.size for array in like.values())
    return {
        name: vector[end - array.size : end].reshape(array.shape).astype(np.float32, copy=False)
        for (name, array), end in zip(like.items(), ends, strict=True)
    }


def require_vector(update: NDArray[np.float32], parameters: int) -> None:
    """Refuse what is no float32 vector of so many numbers.

    Raises:
        UpdateRefusedError: With the fate ``wrong_shape`` or ``wrong_type``.
    """
    if update.shape != (parameters,):
        raise UpdateRefusedError("wrong_shape")
    if update.dtype != np.float32:
        raise UpdateRefusedError("wrong_type")
