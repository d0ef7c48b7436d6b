from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize

from models.drift.histogram import (
    IN_CLEAR,
    Channel,
    Histogram,
    draw_counts,
    effective_reports,
    estimate_shares,
    project_to_simplex,
)
from models.errors import BadInputError
from tests.models.drift.channels import randomised_response, unary_encoding

CHANNELS = [randomised_response(4, 1.0), randomised_response(4, 0.3), unary_encoding(0.5), IN_CLEAR]
SHARES = np.array([0.6, 0.25, 0.1, 0.05])


@pytest.mark.parametrize("channel", CHANNELS, ids=str)
def test_estimates_of_drawn_counts_are_unbiased_and_those_of_a_wrong_channel_are_not(channel: Channel) -> None:
    counts = draw_counts(SHARES, 1000, channel, 4000, np.random.default_rng(1))
    estimates = estimate_shares(counts, 1000, channel)
    error = estimates.std(axis=0) / math.sqrt(len(estimates))
    assert np.all(np.abs(estimates.mean(axis=0) - SHARES) < 4.5 * error)
    wrong = estimate_shares(counts, 1000, Channel(channel.lied + channel.slope * 0.7, channel.lied, channel.exclusive))
    assert np.abs(wrong.mean(axis=0) - SHARES).max() > 10 * error.max()


def test_answers_of_unary_encoding_are_drawn_bit_by_bit_as_devices_send_them() -> None:
    channel, devices = unary_encoding(1.0), 400
    rng = np.random.default_rng(2)
    one_by_one = []
    for _ in range(400):
        held = rng.choice(4, size=devices, p=SHARES)[:, None] == np.arange(4)
        one_by_one.append((rng.random((devices, 4)) < np.where(held, channel.kept, channel.lied)).sum(axis=0))
    at_once = draw_counts(SHARES, devices, channel, 4000, rng)
    assert np.mean(one_by_one, axis=0) == pytest.approx(at_once.mean(axis=0), rel=0.02)
    assert np.std(one_by_one, axis=0) == pytest.approx(at_once.std(axis=0), rel=0.15)


@given(st.lists(st.floats(-2, 3), min_size=2, max_size=9))
def test_a_projection_has_shares_and_changes_nothing_that_has_them_already(values: list[float]) -> None:
    projected = project_to_simplex(np.array(values))
    assert projected.min() >= 0
    assert projected.sum() == pytest.approx(1)
    assert project_to_simplex(projected) == pytest.approx(projected, abs=1e-9)


def test_a_projection_is_the_nearest_point_with_shares() -> None:
    for estimates in ([0.7, 0.5, -0.3, 0.1], [1.2, -0.1, -0.1, 0.0], [0.25, 0.25, 0.25, 0.25]):
        found = minimize(
            lambda point, at=estimates: float(np.sum((point - np.array(at)) ** 2)),
            np.full(4, 0.25),
            bounds=[(0, 1)] * 4,
            constraints={"type": "eq", "fun": lambda point: point.sum() - 1},
        )
        assert project_to_simplex(np.array(estimates)) == pytest.approx(found.x, abs=1e-4)


def test_rows_are_projected_each_by_itself() -> None:
    rows = np.random.default_rng(3).normal(0.25, 0.4, (50, 4))
    assert np.array([project_to_simplex(row) for row in rows]) == pytest.approx(project_to_simplex(rows))


def test_reports_in_clear_all_count_and_randomised_ones_count_as_their_noise_allows() -> None:
    assert effective_reports(SHARES, 1000, IN_CLEAR) == pytest.approx(1000)
    channel = randomised_response(4, 1.0)
    estimates = estimate_shares(draw_counts(SHARES, 1000, channel, 6000, np.random.default_rng(4)), 1000, channel)
    in_clear = draw_counts(SHARES, 1000, IN_CLEAR, 6000, np.random.default_rng(5)) / 1000
    ratio = in_clear.var(axis=0).sum() / estimates.var(axis=0).sum()
    assert effective_reports(SHARES, 1000, channel) == pytest.approx(1000 * ratio, rel=0.06)


@pytest.mark.parametrize(
    "broken",
    [
        lambda: Channel(0.5, 0.5, True),
        lambda: Channel(1.1, 0.0, True),
        lambda: Histogram({"a": 1}, 1, IN_CLEAR),
        lambda: Histogram({"a": 0, "b": 0}, 0, IN_CLEAR),
        lambda: Histogram({"a": 2, "b": -1}, 1, IN_CLEAR),
    ],
)
def test_what_nothing_can_be_seen_through_or_nobody_answered_is_refused(broken: object) -> None:
    with pytest.raises(BadInputError):
        broken()  # type: ignore[operator]
