"""Clipping whole updates, and their place on the grid."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from models.errors import UpdateRefusedError
from models.privacy.clipping import SPACINGS_PER_NORM, clip_update, to_grid, update_norm

finite = st.floats(-1e30, 1e30, allow_subnormal=True)
updates = arrays(np.float64, array_shapes(max_dims=1, max_side=20), elements=finite)
clip_norms = st.floats(1e-6, 1e6)


@given(update=updates, clip_norm=clip_norms)
def test_a_clipped_update_is_never_above_the_norm(update, clip_norm):
    assert update_norm(clip_update(update, clip_norm)) <= clip_norm


@given(update=updates, clip_norm=clip_norms)
def test_clipping_keeps_the_direction_and_never_lengthens(update, clip_norm):
    clipped = clip_update(update, clip_norm)
    assert (np.abs(clipped) <= np.abs(update)).all()
    assert (np.sign(clipped) * np.sign(update) >= 0).all()
    assert clipped @ update == pytest.approx(update_norm(clipped) * update_norm(update), rel=1e-9)


@given(update=updates)
def test_an_update_within_the_norm_is_returned_as_it_is(update):
    assert np.array_equal(clip_update(update, max(update_norm(update), 1e-6)), update)


def test_an_update_of_length_5_clipped_to_1_is_scaled_by_a_fifth():
    assert clip_update(np.array([3.0, -4.0]), 1.0) == pytest.approx([0.6, -0.8], rel=1e-8)


@pytest.mark.parametrize("update", [np.zeros(3), np.full(3, 5e-324), np.full(3, 1e-200)])
def test_zero_and_tiny_updates_pass_unchanged(update):
    assert np.array_equal(clip_update(update, 0.5), update)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e200])
def test_an_update_whose_norm_is_not_finite_is_refused(bad):
    with pytest.raises(UpdateRefusedError) as refused:
        clip_update(np.array([1.0, bad]), 1.0)
    assert refused.value.fate == "not_finite"


@given(update=updates, clip_norm=clip_norms)
def test_rounding_to_the_grid_never_raises_a_norm(update, clip_norm):
    clipped = clip_update(update, clip_norm)
    on_grid = to_grid(clipped, clip_norm / SPACINGS_PER_NORM)
    squares = sum(int(value) ** 2 for value in on_grid)  # Python's whole numbers: no rounding hides an excess
    assert squares <= SPACINGS_PER_NORM**2 * (1 + 1e-15)
    assert (np.abs(on_grid * (clip_norm / SPACINGS_PER_NORM)) <= np.abs(clipped) * (1 + 1e-15)).all()


@given(update=updates, clip_norm=clip_norms)
def test_rounding_to_the_grid_moves_a_value_by_less_than_one_spacing(update, clip_norm):
    spacing = clip_norm / SPACINGS_PER_NORM
    clipped = clip_update(update, clip_norm)
    assert (np.abs(to_grid(clipped, spacing) * spacing - clipped) <= spacing).all()
