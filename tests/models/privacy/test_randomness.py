"""Where noise comes from."""

from __future__ import annotations

import numpy as np
import pytest

from models.privacy import randomness
from models.privacy.randomness import (
    PAIRS_AT_ONCE,
    SeededGaussian,
    SystemGaussian,
    SystemWords,
    cosine_and_sine,
    open_unit,
    seeded_generator,
)
from tests.noise_scale import is_gaussian_noise

SOURCES = {"system": SystemGaussian, "seeded": lambda: SeededGaussian(np.random.default_rng(1))}


@pytest.mark.parametrize("make_source", SOURCES.values(), ids=SOURCES)
def test_a_source_gives_standard_normal_numbers(make_source):
    assert is_gaussian_noise(make_source().standard_normal(100_000), 1.0)


@pytest.mark.parametrize("wrong", [0.7, 1.3])
@pytest.mark.parametrize("make_source", SOURCES.values(), ids=SOURCES)
def test_the_check_of_noise_rejects_a_scale_wrong_by_30_percent(make_source, wrong):
    assert not is_gaussian_noise(wrong * make_source().standard_normal(10_000), 1.0)


def test_the_check_of_noise_rejects_uniform_noise_of_the_right_deviation():
    assert not is_gaussian_noise(np.random.default_rng(1).uniform(-(3**0.5), 3**0.5, 10_000), 1.0)


def test_the_two_normals_of_a_pair_are_not_correlated():
    blocks = SystemGaussian().standard_normal(8 * 2 * PAIRS_AT_ONCE).reshape(8, 2, PAIRS_AT_ONCE)
    first, second = blocks[:, 0].ravel(), blocks[:, 1].ravel()
    for moment in (1, 2):  # a radius shared in a wrong way shows in the squares
        assert abs(np.corrcoef(first**moment, second**moment)[0, 1]) < 6 / np.sqrt(len(first))


def test_cosine_and_sine_are_those_of_the_angle_all_around_the_turn():
    turn = np.concatenate([np.arange(0, 2**64, 2**57, dtype=np.uint64), np.array([1, 2**63, 2**64 - 1], np.uint64)])
    angle = turn.astype(np.float64) * (2 * np.pi * 2.0**-64)
    assert cosine_and_sine(turn) == pytest.approx(np.stack([np.cos(angle), np.sin(angle)]), rel=0, abs=1e-15)


@pytest.mark.parametrize("count", [0, 1, 2, 7, 2 * PAIRS_AT_ONCE, 2 * PAIRS_AT_ONCE + 1])
def test_as_many_numbers_come_as_were_asked_for(count):
    assert SystemGaussian().standard_normal(count).shape == (count,)


def test_a_system_source_never_repeats_itself_or_another():
    source = SystemGaussian()
    drawn = [source.standard_normal(8), source.standard_normal(8), SystemGaussian().standard_normal(8)]
    assert len(np.unique(drawn)) == 24


def test_a_system_source_gives_much_whatever_the_operating_system_draws(monkeypatch):
    """A stream whose blocks were counted from a random number ended at once where that was the largest."""
    monkeypatch.setattr(randomness.os, "urandom", lambda count: b"\xff" * count)
    assert len(np.unique(SystemWords().words(100_000))) == 100_000


def test_uniform_numbers_lie_above_zero_and_up_to_one():
    ends = np.array([0, 2**64 - 1], dtype=np.uint64)
    smallest, largest = open_unit(ends, ends)
    assert smallest == 2.0**-128
    assert largest == 1.0


def test_the_largest_noises_are_as_fine_as_the_grid():
    """Neighbouring uniform numbers in the far tail give radii closer than one grid spacing at multiplier 1."""
    high = np.zeros(2, np.uint64)
    low = np.array([2**60, 2**60 + 2**8], dtype=np.uint64)  # the next double after 2**60
    radius = np.sqrt(-2 * np.log(open_unit(high, low)))
    assert radius[0] > 8.6  # farther out than 53 bits reach
    assert abs(radius[0] - radius[1]) < 2.0**-30


def test_equal_arguments_give_equal_streams_and_any_other_gives_another():
    given = [(1, 2, 3, "noise"), (2, 2, 3, "noise"), (1, 3, 3, "noise"), (1, 2, 4, "noise"), (1, 2, 3, "cut")]
    streams = [tuple(seeded_generator(*arguments).integers(2**60, size=4)) for arguments in given]
    assert len(set(streams)) == len(given)
    assert streams[0] == tuple(seeded_generator(*given[0]).integers(2**60, size=4))
