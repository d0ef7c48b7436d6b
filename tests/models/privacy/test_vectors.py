"""Named arrays as one flat vector."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from models.errors import UpdateRefusedError
from models.privacy.vectors import flatten, require_same_layout, unflatten

float32_arrays = arrays(np.float32, array_shapes(max_dims=3, max_side=4), elements=st.floats(-1e6, 1e6, width=32))
named_arrays = st.dictionaries(st.text(max_size=5), float32_arrays, min_size=1, max_size=4)

LIKE = {"weight": np.zeros((2, 3), np.float32), "bias": np.zeros(2, np.float32)}


@given(named=named_arrays)
def test_flattening_and_unflattening_gives_the_same_arrays(named):
    back = unflatten(flatten(named), named)
    assert list(back) == list(named)
    assert all(np.array_equal(back[name], named[name]) for name in named)


@given(named=named_arrays)
def test_unflattened_arrays_have_the_layout_that_was_asked_for(named):
    require_same_layout(unflatten(flatten(named), named), named)


@pytest.mark.parametrize(
    ("other", "fate"),
    [
        ({"weight": np.zeros((3, 2), np.float32), "bias": np.zeros(2, np.float32)}, "wrong_shape"),
        ({"weight": np.zeros((2, 3), np.float64), "bias": np.zeros(2, np.float32)}, "wrong_type"),
        ({"bias": np.zeros(2, np.float32), "weight": np.zeros((2, 3), np.float32)}, "wrong_keys"),
        ({"weight": np.zeros((2, 3), np.float32)}, "wrong_keys"),
        ({**LIKE, "extra": np.zeros(1, np.float32)}, "wrong_keys"),
        ({"weight": np.zeros((2, 3), np.float32), "Bias": np.zeros(2, np.float32)}, "wrong_keys"),
        ({"weight": np.zeros((2, 3), ">f4"), "bias": np.zeros(2, np.float32)}, "wrong_type"),
    ],
    ids=["shape", "type", "order", "missing", "extra", "name", "byte order"],
)
def test_arrays_of_another_layout_are_refused(other, fate):
    with pytest.raises(UpdateRefusedError) as refused:
        require_same_layout(other, LIKE)
    assert refused.value.fate == fate
