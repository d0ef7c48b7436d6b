"""Named arrays as one flat vector."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from models.errors import UpdateRefusedError
from models.privacy.vectors import flatten, require_vector, unflatten

float32_arrays = arrays(np.float32, array_shapes(max_dims=3, max_side=4), elements=st.floats(-1e6, 1e6, width=32))
named_arrays = st.dictionaries(st.text(max_size=5), float32_arrays, min_size=1, max_size=4)


@given(named=named_arrays)
def test_flattening_and_unflattening_gives_the_same_arrays(named):
    back = unflatten(flatten(named), named)
    assert list(back) == list(named)
    assert all(np.array_equal(back[name], named[name]) for name in named)


@given(named=named_arrays)
def test_unflattened_arrays_have_the_layout_that_was_asked_for(named):
    back = unflatten(flatten(named), named)
    assert all((back[name].shape, back[name].dtype) == (named[name].shape, np.float32) for name in named)


@pytest.mark.parametrize(
    ("other", "fate"),
    [
        (np.zeros(2, np.float32), "wrong_shape"),
        (np.zeros(4, np.float32), "wrong_shape"),
        (np.zeros((3, 1), np.float32), "wrong_shape"),
        (np.zeros(3, np.float64), "wrong_type"),
        (np.zeros(3, np.int32), "wrong_type"),
        (np.zeros(3, ">f4"), "wrong_type"),
    ],
    ids=["short", "long", "matrix", "doubles", "whole numbers", "byte order"],
)
def test_what_is_no_float32_vector_of_the_models_size_is_refused(other, fate):
    require_vector(np.zeros(3, np.float32), 3)
    with pytest.raises(UpdateRefusedError) as refused:
        require_vector(other, 3)
    assert refused.value.fate == fate
