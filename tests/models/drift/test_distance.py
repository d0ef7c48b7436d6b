from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon
from scipy.stats import chisquare, entropy

from models.drift.distance import (
    SMALLEST_SHARE,
    chi_square,
    jensen_shannon_distance,
    population_stability_index,
    raise_to_floor,
)

histograms = st.lists(st.floats(0.001, 1), min_size=5, max_size=5).map(lambda raw: np.array(raw) / sum(raw))


def test_the_stability_index_is_the_textbooks() -> None:
    # (.6 - .5) ln(.6 / .5) + (.4 - .5) ln(.4 / .5) = .01823 + .02231
    assert population_stability_index(np.array([0.6, 0.4]), np.array([0.5, 0.5])) == pytest.approx(0.04055, abs=1e-5)


@given(histograms, histograms)
def test_the_distances_are_those_of_scipy(one: np.ndarray, other: np.ndarray) -> None:
    assert population_stability_index(one, other) == pytest.approx(entropy(one, other) + entropy(other, one), abs=1e-9)
    assert jensen_shannon_distance(one, other) == pytest.approx(float(jensenshannon(one, other, 2)), abs=1e-6)


def test_jensen_and_shannons_distance_goes_from_0_to_1_and_takes_empty_values() -> None:
    here, there = np.array([1.0, 0.0]), np.array([0.0, 1.0])
    assert jensen_shannon_distance(here, here) == 0
    assert jensen_shannon_distance(here, there) == pytest.approx(1)


def test_on_answers_in_clear_the_statistic_is_pearsons() -> None:
    counts, expected = np.array([30.0, 50.0, 20.0]), np.array([0.25, 0.5, 0.25])
    assert chi_square(counts / 100, expected, 100) == pytest.approx(chisquare(counts, expected * 100).statistic)


def test_no_share_stays_empty_and_rows_are_measured_each_by_itself() -> None:
    raised = raise_to_floor(np.array([[1.0, 0.0], [0.5, 0.5]]))
    assert raised.min() > 0.99 * SMALLEST_SHARE
    assert raised.sum(axis=1) == pytest.approx([1, 1])
    assert population_stability_index(raised, raised[1]).tolist() == pytest.approx([2.619, 0], abs=0.01)
