"""float32 arrays in NumPy's file format, without its parser: a round reads and writes thousands of one shape each.

Source: NumPy Enhancement Proposal 1, version 1.0 of the format.
"""

from __future__ import annotations

import io
import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray


def write_npy(array: NDArray[np.float32]) -> bytes:
    """Return what ``numpy.save`` writes of an array in C order."""
    return b"".join((_header(array.shape), np.ascontiguousarray(array, dtype="<f4").data))


def read_npy(data: bytes, shape: tuple[int, ...]) -> NDArray[np.float32] | None:
    """Return the array if the bytes are just what `write_npy` writes of one of this shape; ``None`` else.

    It is those bytes, seen as numbers: nothing is copied, and nothing can be written to it.
    """
    header = _header(shape)
    if len(data) != len(header) + 4 * math.prod(shape) or not data.startswith(header):
        return None
    return np.frombuffer(data, "<f4", offset=len(header)).reshape(shape).astype(np.float32, copy=False)


@lru_cache(maxsize=256)
def _header(shape: tuple[int, ...]) -> bytes:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f4", "fortran_order": False, "shape": shape})
    return header.getvalue()
