"""The rotation: it keeps lengths, can be undone, and leaves no coordinate that stands out."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import hadamard

from models.privacy.rotation import BLOCK, PEAK, draw_signs, padded_length, rotate, rotate_back

SIGNS = draw_signs(b"s" * 32, 2 * BLOCK)


@pytest.mark.parametrize(("length", "padded"), [(1, 4096), (4096, 4096), (4097, 8192), (93_827, 94_208)])
def test_a_vector_grows_by_less_than_a_block(length, padded):
    assert padded_length(length) == padded


def test_a_rotation_keeps_the_norm_and_is_undone():
    vector = np.random.default_rng(0).normal(size=2 * BLOCK - 100)
    rotated = rotate(vector, SIGNS)
    assert np.linalg.norm(rotated) == pytest.approx(np.linalg.norm(vector), rel=1e-12)
    assert np.allclose(rotate_back(rotated, SIGNS)[: len(vector)], vector, atol=1e-12)
    assert not np.allclose(rotated[: len(vector)], vector)


def test_a_block_is_multiplied_by_the_hadamard_matrix():
    vector = np.random.default_rng(1).normal(size=BLOCK)
    expected = hadamard(BLOCK) @ (vector * SIGNS[:BLOCK]) / BLOCK**0.5
    assert np.allclose(rotate(vector, SIGNS[:BLOCK]), expected, atol=1e-10)


def test_no_coordinate_stands_out_whatever_the_vector():
    generator = np.random.default_rng(2)
    single = np.zeros(2 * BLOCK)
    single[7] = 1.0
    for number in range(20):
        vector = [single, np.ones(2 * BLOCK), generator.normal(size=2 * BLOCK)][number % 3]
        signs = draw_signs(number.to_bytes(32), 2 * BLOCK)
        assert np.abs(rotate(vector, signs)).max() < PEAK * np.linalg.norm(vector)


def test_signs_follow_from_the_seed_and_are_even():
    assert np.array_equal(SIGNS, draw_signs(b"s" * 32, 2 * BLOCK))
    assert not np.array_equal(SIGNS, draw_signs(b"t" * 32, 2 * BLOCK))
    assert set(SIGNS) == {-1.0, 1.0}
    assert abs(SIGNS.mean()) < 6 / len(SIGNS) ** 0.5
