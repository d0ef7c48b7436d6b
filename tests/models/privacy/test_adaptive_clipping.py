"""A clip that follows the updates, and the budget that it shares with them."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from models.domain.privacy import AdaptiveClipping, Mechanism, PersonPrivacy
from models.errors import UsageError
from models.privacy.adaptive_clipping import next_clip_norm, noised_share, update_noise_multiplier
from models.privacy.randomness import SeededGaussian
from tests.noise_scale import is_gaussian_noise

ADAPTIVE = AdaptiveClipping(quantile=0.5, learning_rate=0.2, bit_noise=50.0, smallest=0.01, largest=10.0)
PRIVACY = PersonPrivacy(
    clip_norm=1.0,
    noise_multiplier=1.0,
    cohort=1_000,
    population=100_000,
    rounds=10,
    participations=5,
    delta=1e-6,
    adaptive=ADAPTIVE,
)


class NoNoise:
    """A source that adds nothing."""

    def standard_normal(self, count: int) -> np.ndarray:
        """Return zeros."""
        return np.zeros(count)


@pytest.mark.parametrize(("multiplier", "bit_noise"), [(1.0, 50.0), (1.0, 0.8), (5.0, 3.0)])
def test_sum_and_count_together_spend_what_the_sum_alone_would(multiplier, bit_noise):
    """Two Gaussian releases compose like one whose precisions add up; a person moves the count by one half."""
    plan = replace(PRIVACY, noise_multiplier=multiplier, adaptive=replace(ADAPTIVE, bit_noise=bit_noise))
    of_sum, of_count = update_noise_multiplier(plan), bit_noise / 0.5
    assert (of_sum**-2 + of_count**-2) ** -0.5 == pytest.approx(multiplier)
    assert of_sum > multiplier


def test_the_papers_share_of_the_count_costs_the_updates_hardly_any_noise():
    assert update_noise_multiplier(PRIVACY) == pytest.approx(1.00005, abs=1e-5)


def test_a_fixed_clip_leaves_all_of_the_budget_to_the_updates():
    assert update_noise_multiplier(replace(PRIVACY, adaptive=None)) == 1.0


@pytest.mark.parametrize(("balance", "share"), [(1_000, 1.0), (0, 0.5), (-1_000, 0.0), (500, 0.75)])
def test_without_noise_the_share_is_that_of_the_unclipped_updates(balance, share):
    assert noised_share(balance, ADAPTIVE, NoNoise(), 1_000, 1_000) == pytest.approx(share)


@pytest.mark.parametrize("divisor", [1_000, 20])
def test_noise_on_the_share_has_the_promised_scale_and_not_one_wrong_by_30_percent(divisor):
    """50 over 1,000 devices: 0.05, also where 20 devices stand for them."""
    source = SeededGaussian(np.random.default_rng(1))
    noise = np.array([noised_share(0, ADAPTIVE, source, 1_000, divisor) - 0.5 for _ in range(5_000)])
    assert is_gaussian_noise(noise, 0.05)
    assert not is_gaussian_noise(noise, 0.05 * 1.3)
    assert not is_gaussian_noise(noise, 0.05 * 0.7)


def test_one_person_moves_the_count_by_one_half():
    with_a_short_update, with_a_long_one, without = (
        noised_share(balance, ADAPTIVE, NoNoise(), 1_000, 1_000) for balance in (501, 499, 500)
    )
    assert (with_a_short_update - without) * 1_000 == pytest.approx(0.5)
    assert (with_a_long_one - without) * 1_000 == pytest.approx(-0.5)


def test_the_norm_follows_the_median_of_the_updates():
    norms = np.random.default_rng(2).lognormal(math.log(3.0), 0.5, size=1_000)
    source, clip = SeededGaussian(np.random.default_rng(3)), 0.1
    for _ in range(60):
        balance = int(2 * (norms < clip).sum() - len(norms))
        clip = next_clip_norm(clip, noised_share(balance, ADAPTIVE, source, 1_000, 1_000), ADAPTIVE)
    assert clip == pytest.approx(np.median(norms), rel=0.15)


def test_one_step_is_the_papers():
    assert next_clip_norm(2.0, 0.8, ADAPTIVE) == pytest.approx(2.0 * math.exp(-0.2 * 0.3))


def test_the_norm_never_leaves_what_devices_agreed_to():
    for share in (-5.0, 0.0, 1.0, 7.0):
        assert 0.01 <= next_clip_norm(10.0, share, ADAPTIVE) <= 10.0
        assert 0.01 <= next_clip_norm(0.01, share, ADAPTIVE) <= 10.0


@pytest.mark.parametrize(
    "change",
    [
        {"quantile": 0.0},
        {"quantile": 1.0},
        {"learning_rate": 0.0},
        {"bit_noise": 0.0},
        {"bit_noise": math.nan},
        {"smallest": 0.0},
        {"largest": math.inf},
    ],
)
def test_a_clip_that_follows_nothing_is_refused(change):
    with pytest.raises(UsageError):
        replace(ADAPTIVE, **change)


@pytest.mark.parametrize(
    "change",
    [
        {"adaptive": replace(ADAPTIVE, bit_noise=0.5)},
        {"clip_norm": 20.0},
        {"mechanism": Mechanism.FTRL},
    ],
    ids=["the count spends everything", "outside its limits", "a tree's noise spans rounds"],
)
def test_a_plan_whose_clip_can_not_adapt_is_refused(change):
    with pytest.raises(UsageError):
        replace(PRIVACY, **change)
