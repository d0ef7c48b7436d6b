"""From updates to the next global model."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from fl_server.aggregation import LARGEST_UNCLIPPED_NORM, ServerStep, UpdateSum, step_global_model
from models.domain.privacy import AdaptiveClipping, PersonPrivacy
from models.errors import UpdateRefusedError
from models.privacy.clipping import SPACINGS_PER_NORM
from models.privacy.randomness import SeededGaussian, SystemGaussian
from tests.noise_scale import is_gaussian_noise

SIZE = 20_000
CLIP_NORM = 0.5

PRIVACY = PersonPrivacy(
    clip_norm=CLIP_NORM,
    noise_multiplier=2.0,
    cohort=1_000,
    population=100_000,
    rounds=10,
    participations=5,
    delta=1e-6,
)

small_updates = arrays(np.float32, 3, elements=st.floats(-1, 1, width=32))


class NoNoise:
    """A source that adds nothing, to see what noise is added to."""

    def standard_normal(self, count: int) -> np.ndarray:
        """Return zeros."""
        return np.zeros(count)


def small_sum(clip_norm: float | None = None) -> UpdateSum:
    return UpdateSum(3, clip_norm)


def seeded() -> SeededGaussian:
    return SeededGaussian(np.random.default_rng(3))


@given(updates=st.lists(small_updates, min_size=1, max_size=8), data=st.data())
def test_the_sum_is_the_same_in_any_order(updates, data):
    totals = []
    for order in (updates, data.draw(st.permutations(updates))):
        total = small_sum()
        for update in order:
            total.fold(update)
        totals.append(total.mean())
    assert totals[0].tobytes() == totals[1].tobytes()


@given(updates=st.lists(small_updates, min_size=1, max_size=8))
def test_the_plain_mean_is_the_mean_to_the_grids_spacing(updates):
    total = small_sum()
    for update in updates:
        total.fold(update)
    assert total.mean() == pytest.approx(np.mean(np.array(updates, np.float64), axis=0), abs=1 / SPACINGS_PER_NORM)


def test_the_mean_of_nobody_is_zero():
    assert np.array_equal(small_sum().mean(), np.zeros(3))


def test_an_update_that_passes_the_norm_by_rounding_is_clipped_and_one_beyond_is_too_large():
    total = small_sum(CLIP_NORM)
    total.fold(np.array([CLIP_NORM * 1.0005, 0, 0], np.float32))
    assert 0 < total.mean()[0] <= CLIP_NORM
    with pytest.raises(UpdateRefusedError) as refused:
        total.fold(np.array([CLIP_NORM * 1.01, 0, 0], np.float32))
    assert refused.value.fate == "too_large"


def test_without_clipping_a_finite_update_that_would_overflow_the_sum_is_too_large():
    total = small_sum()
    total.fold(np.array([LARGEST_UNCLIPPED_NORM, 0, 0], np.float32))
    with pytest.raises(UpdateRefusedError) as refused:
        total.fold(np.array([1e30, 0, 0], np.float32))
    assert refused.value.fate == "too_large"
    assert total.mean()[0] == LARGEST_UNCLIPPED_NORM


@pytest.mark.parametrize(
    "bad",
    [
        np.array([np.nan, 0, 0]),
        np.array([np.inf, 0, 0]),
        np.array([-np.inf, np.inf, 0]),
        np.array([1e3, 0, 0]),
        np.zeros(4),
    ],
)
def test_a_refused_update_leaves_the_sum_as_it_was(bad):
    total = small_sum(CLIP_NORM)
    total.fold(np.array([0.25, 0, 0], np.float32))
    with pytest.raises(UpdateRefusedError):
        total.fold(bad.astype(np.float32))
    assert total.folded == 1
    assert np.array_equal(total.mean(), [0.25, 0, 0])


def test_the_private_mean_divides_by_the_target_cohort_and_not_by_the_replies():
    total = small_sum(CLIP_NORM)
    for _ in range(10):
        total.fold(np.array([0.25, 0, 0], np.float32))
    assert total.private_mean(PRIVACY, NoNoise(), None)[0] == pytest.approx(10 * 0.25 / 1_000)
    assert total.private_mean(PRIVACY, NoNoise(), 20)[0] == pytest.approx(10 * 0.25 / 20)


@pytest.mark.parametrize("source", [seeded, SystemGaussian], ids=["seeded", "system"])
@pytest.mark.parametrize("simulated_cohort", [None, 20])
def test_noise_on_the_mean_is_that_of_the_target_cohort(source, simulated_cohort):
    """Multiplier 2 times norm 0.5 over 1,000 devices: 0.001, also where 20 stand for the 1,000."""
    noise = UpdateSum(SIZE, CLIP_NORM).private_mean(PRIVACY, source(), simulated_cohort)
    assert is_gaussian_noise(noise, 2.0 * 0.5 / 1_000)


@pytest.mark.parametrize("wrong", [0.7, 1.3])
@pytest.mark.parametrize("simulated_cohort", [None, 20])
def test_noise_wrong_by_30_percent_is_caught(wrong, simulated_cohort):
    privacy = replace(PRIVACY, noise_multiplier=wrong * PRIVACY.noise_multiplier)
    noise = UpdateSum(SIZE, CLIP_NORM).private_mean(privacy, seeded(), simulated_cohort)
    assert not is_gaussian_noise(noise, 2.0 * 0.5 / 1_000)


def one_persons_reach() -> float:
    """Return how far one person moves what noise is added to, in L2 norm, on the grid where it is added."""
    generator = np.random.default_rng(0)
    total = UpdateSum(SIZE, CLIP_NORM)
    for _ in range(5):
        update = generator.normal(size=SIZE)
        total.fold((update * CLIP_NORM / np.linalg.norm(update)).astype(np.float32))
    before = total.private_mean(PRIVACY, NoNoise(), None)
    update = generator.normal(size=SIZE)
    total.fold((update * 1.0005 * CLIP_NORM / np.linalg.norm(update)).astype(np.float32))
    return float(np.linalg.norm(total.private_mean(PRIVACY, NoNoise(), None) - before) * PRIVACY.cohort)


def test_one_person_moves_what_noise_is_added_to_by_no_more_than_the_norm():
    """The sensitivity that the accountant is told."""
    assert 0.999 * CLIP_NORM < one_persons_reach() <= CLIP_NORM * (1 + 1e-9)


def test_a_missing_clip_is_caught(monkeypatch):
    monkeypatch.setattr("fl_server.aggregation.clip_update", lambda update, *_clip_and_norm: update)
    assert one_persons_reach() > CLIP_NORM * (1 + 1e-9)


def test_with_an_adaptive_clip_the_updates_get_the_noise_that_leaves_the_count_its_share():
    """Multiplier 2, count's noise 1.25: the sum's multiplier is (2^-2 - 2.5^-2)^-1/2 = 3.333 times norm 0.5 / 1,000."""
    adaptive = AdaptiveClipping(quantile=0.5, learning_rate=0.2, bit_noise=1.25, smallest=0.1, largest=1.0)
    privacy = replace(PRIVACY, adaptive=adaptive)
    noise = UpdateSum(SIZE, CLIP_NORM).private_mean(privacy, seeded(), None)
    assert is_gaussian_noise(noise, 10 / 3 * 0.5 / 1_000)
    assert not is_gaussian_noise(noise, 2.0 * 0.5 / 1_000)


def test_clipped_updates_are_told_by_their_length_and_counted_under_noise():
    total = small_sum(CLIP_NORM)
    adaptive = AdaptiveClipping(quantile=0.5, learning_rate=0.2, bit_noise=50.0, smallest=0.1, largest=1.0)
    for norm in (0.1, 0.2, 0.0, CLIP_NORM):
        total.fold(np.array([norm, 0, 0], np.float32))
    privacy = replace(PRIVACY, adaptive=adaptive, cohort=4)
    assert total.noised_unclipped_share(privacy, NoNoise(), None) == pytest.approx(3 / 4)


def test_noised_sums_lie_on_the_grid_so_that_low_bits_tell_nothing():
    total = UpdateSum(SIZE, CLIP_NORM)
    total.fold(np.full(SIZE, CLIP_NORM / SIZE, np.float32))
    spacings = total.private_mean(PRIVACY, seeded(), None) * PRIVACY.cohort / CLIP_NORM * SPACINGS_PER_NORM
    assert np.abs(spacings - np.rint(spacings)).max() < 1e-4


def test_the_global_model_steps_by_the_smoothed_update():
    """By hand: smoothed .9 * 1 + .1 * 3 = 1.2; model 10 + 2 * 1.2 = 12.4."""
    model, smoothed = step_global_model(np.array([10.0]), np.array([1.0]), np.array([3.0]), ServerStep(2.0, 0.9))
    assert smoothed[0] == pytest.approx(1.2)
    assert model[0] == pytest.approx(12.4)
