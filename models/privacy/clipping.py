"""Clipping a whole update to an L2 norm, and its place on a fixed grid.

The grid is what makes noise safe in floating point (Mironov 2012): values that are whole multiples of one spacing,
plus noise rounded to that spacing, equal the rounded sum of the values and continuous noise. Rounding after the noise
is post-processing, so the guarantee of the continuous mechanism carries over, and no low-order bit tells anything.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from models.errors import UpdateRefusedError

SPACINGS_PER_NORM = 2**30
"""Grid spacings in one clipping norm: rounding costs about 1e-9 of the norm a coordinate."""

AT_ONCE = 8192
"""Numbers squared together: they stay in the processor's cache, and are too few for BLAS to share them out among
threads, whose number a seeded run must not depend on."""

BELOW_ROUNDING = 1 - 1e-9
"""Factor that keeps a clipped norm under its limit although doubles round."""


def clip_update(update: NDArray[np.float64], clip_norm: float, norm: float | None = None) -> NDArray[np.float64]:
    """Return the update, of shape (P,), scaled down to an L2 norm of at most ``clip_norm``.

    An update of all zeros is returned as it is.

    Args:
        update: As it is.
        clip_norm: Above zero.
        norm: What `update_norm` says of it, where it was asked before.

    Raises:
        UpdateRefusedError: A value is not finite; the guarantee could not hold.
    """
    norm = update_norm(update) if norm is None else norm
    return update if norm <= clip_norm else update * clip_factor(norm, clip_norm)


def clip_factor(norm: float, clip_norm: float) -> float:
    """Return what an update of this L2 norm is multiplied with, so that it is at most ``clip_norm``."""
    return 1.0 if norm <= clip_norm else BELOW_ROUNDING * clip_norm / norm


def update_norm(update: NDArray[np.float32] | NDArray[np.float64]) -> float:
    """Return the L2 norm of an update of shape (P,), added up in doubles.

    Raises:
        UpdateRefusedError: The norm is not finite.
    """
    squares = 0.0
    with np.errstate(over="ignore"):
        for start in range(0, len(update), AT_ONCE):
            doubles = update[start : start + AT_ONCE].astype(np.float64, copy=False)
            squares += float(doubles.dot(doubles))
    norm = math.sqrt(squares)
    if not math.isfinite(norm):
        raise UpdateRefusedError("not_finite")
    return norm


def to_grid(update: NDArray[np.float64], spacing: float) -> NDArray[np.int64]:
    """Return whole numbers of grid spacings, rounded towards zero so that no norm ever grows."""
    return (update / spacing).astype(np.int64)
