"""Arrays in NumPy's format without its parser: the same bytes, the same numbers, and nothing else taken for them."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from models.npy import read_npy, write_npy

arrays = hnp.arrays(np.float32, hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=6))


def saved_by_numpy(array) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=False)
    return file.getvalue()


@given(arrays)
def test_what_is_written_is_what_numpy_saves_and_reads_back(array):
    data = write_npy(array)
    assert data == saved_by_numpy(array)
    read = read_npy(data, array.shape)
    assert read is not None
    assert (read.dtype, read.shape) == (np.float32, array.shape)
    assert read.tobytes() == array.tobytes()
    assert not read.flags.writeable  # it is the message's own bytes


def test_an_array_in_another_order_is_written_in_c_order():
    array = np.asfortranarray(np.arange(6, dtype=np.float32).reshape(2, 3))
    assert np.array_equal(read_npy(write_npy(array), (2, 3)), array)


@given(arrays.filter(lambda array: array.size > 0), st.data())
def test_bytes_of_another_header_or_length_are_not_read(array, data):
    written = write_npy(array)
    at = data.draw(st.integers(0, len(written) - 4 * array.size - 1))
    broken = bytearray(written)
    broken[at] ^= data.draw(st.integers(1, 255))
    assert read_npy(bytes(broken), array.shape) is None
    assert read_npy(written[:-1], array.shape) is read_npy(written + b"\0", array.shape) is None


@pytest.mark.parametrize("other", [np.zeros((2, 3), np.float64), np.zeros((3, 2), np.float32), np.zeros(6, np.int32)])
def test_an_array_of_another_type_or_shape_is_not_read(other):
    assert read_npy(saved_by_numpy(other), (2, 3)) is None


def test_an_array_in_another_byte_or_memory_order_is_left_to_numpy():
    for other in (np.zeros((2, 3), ">f4"), np.asfortranarray(np.zeros((2, 3), np.float32))):
        assert read_npy(saved_by_numpy(other), (2, 3)) is None
