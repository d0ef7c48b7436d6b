"""Degree and threshold: fewer than one round in 10,000 aborts at the dropout they were chosen for."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy.stats import binom

from models.domain.secure_aggregation import ThreatModel
from models.privacy.secure_aggregation.neighbourhood import (
    MOST_ABORTED,
    Neighbourhood,
    abort_probability,
    binomial_tail,
    choose_neighbourhood,
    signatures_needed,
)
from models.privacy.secure_aggregation.neighbours import _order, draw_neighbours

CURIOUS, ACTIVE = ThreatModel.HONEST_BUT_CURIOUS, ThreatModel.ACTIVE


@pytest.mark.parametrize(
    ("trials", "success", "most"),
    [(50, 0.8, 33), (100, 0.9, 95), (1000, 0.7, 640), (7, 0.5, 6), (1000, 0.1, 999), (1000, 0.1, 160)],
)
def test_the_binomial_tail_is_that_of_scipy(trials, success, most):
    assert binomial_tail(trials, success, most) == pytest.approx(binom.cdf(most, trials, success), rel=1e-9)


@pytest.mark.parametrize(
    ("arguments", "tail"), [((5, 0.5, 5), 1.0), ((5, 1.0, 4), 0.0), ((5, 0.5, -1), 0.0), ((5, 0.0, 0), 1.0)]
)
def test_the_ends_of_the_binomial_tail(arguments, tail):
    assert binomial_tail(*arguments) == tail


@pytest.mark.parametrize(
    ("devices", "dropout", "threat_model"),
    [(50, 0.1, ACTIVE), (100, 0.1, ACTIVE), (100, 0.2, CURIOUS), (500, 0.2, ACTIVE), (1000, 0.2, CURIOUS)],
)
def test_the_chosen_graph_aborts_fewer_than_one_round_in_10000(devices, dropout, threat_model):
    shape = choose_neighbourhood(devices, dropout, threat_model)
    assert abort_probability(devices, dropout, shape, threat_model) <= MOST_ABORTED
    share = 2 / 3 if threat_model is ACTIVE else 1 / 2
    assert shape.threshold > share * shape.degree


def test_more_devices_need_a_smaller_share_of_neighbours():
    degrees = [choose_neighbourhood(devices, 0.1, CURIOUS).degree / devices for devices in (50, 100, 500, 1000)]
    assert degrees == sorted(degrees, reverse=True)


def test_where_no_graph_is_safe_everybody_is_a_neighbour_and_the_figure_says_how_often_it_fails():
    shape = choose_neighbourhood(100, 0.2, ACTIVE)
    assert shape == Neighbourhood(99, 67)
    assert abort_probability(100, 0.2, shape, ACTIVE) == pytest.approx(15.5 * MOST_ABORTED, rel=1e-3)


def test_at_the_same_dropout_a_larger_cohort_aborts_rarely_enough():
    assert abort_probability(150, 0.2, choose_neighbourhood(150, 0.2, ACTIVE), ACTIVE) <= MOST_ABORTED


@pytest.mark.parametrize("threat_model", [CURIOUS, ACTIVE])
@pytest.mark.parametrize("devices", [3, 7, 20, 100])
def test_where_everybody_is_a_neighbour_the_figure_is_the_probability_itself(devices, threat_model):
    """A survivor's seed needs a threshold of the others that are left, and the round enough signatures."""
    shape = Neighbourhood(devices - 1, 2 * (devices - 1) // 3 + 1 if threat_model is ACTIVE else (devices - 1) // 2 + 1)
    needed = signatures_needed(devices) if threat_model is ACTIVE else 0
    aborts = [left for left in range(devices + 1) if left - 1 < shape.threshold or left < needed]
    expected = binom.pmf(aborts, devices, 0.8).sum()
    assert abort_probability(devices, 0.2, shape, threat_model) == pytest.approx(expected, rel=1e-9)


def test_two_lists_cant_both_have_the_signatures_while_fewer_than_a_third_are_traitors():
    for devices in range(3, 200):
        assert 2 * signatures_needed(devices) - devices > devices / 3


def ring(number: int, degree: int) -> np.ndarray:
    """Return our graph of 100 devices, one row of neighbours a device."""
    return np.array(draw_neighbours(number.to_bytes(32), 100, degree))


def drawn_apart(number: int, degree: int) -> np.ndarray:
    """Return neighbours that are drawn for each device by itself: no graph, but what the bound adds up."""
    generator = np.random.default_rng(number)
    return np.array([generator.permutation(100)[:degree] for _ in range(100)])


def share_of_aborts(graph_of: Callable[[int, int], np.ndarray], shape: Neighbourhood, rounds: int) -> float:
    """Lose 20 of 100 devices at random in each round; count the rounds in which somebody's secret is out of reach."""
    generator, aborted = np.random.default_rng(5), 0
    for number in range(rounds):
        left = np.ones(100, bool)
        left[generator.permutation(100)[:20]] = False
        aborted += bool((left[graph_of(number, shape.degree)].sum(axis=1) < shape.threshold).any())
    return aborted / rounds


def test_a_graph_that_is_too_thin_aborts_many_rounds_and_the_chosen_one_none():
    """The negative control: 30 neighbours and threshold 20 at 20 % dropout."""
    thin, chosen = Neighbourhood(30, 20), choose_neighbourhood(100, 0.2, CURIOUS)
    assert 0.4 < share_of_aborts(drawn_apart, thin, 200) < 0.8
    assert 0.08 < share_of_aborts(ring, thin, 200) < 0.4  # on the ring neighbours' neighbours are much the same
    assert abort_probability(100, 0.2, thin, CURIOUS) == 1.0
    for graph_of in (ring, drawn_apart):
        assert share_of_aborts(graph_of, chosen, 200) == 0


def test_whoever_stands_beside_a_gap_in_the_ring_cant_be_unmasked():
    """An active server that leaves out two runs of neighbours cuts the ring, but not so that a part could be opened."""
    devices = 200
    shape = choose_neighbourhood(devices, 0.05, ACTIVE)
    graph = draw_neighbours(bytes(32), devices, shape.degree)
    half = shape.degree // 2
    order = _order(bytes(32), devices)
    start = devices // 2
    gap = {order[index] for index in range(start, start + half)}
    beside = order[start - 1]
    assert gap < set(graph[beside])
    assert len(set(graph[beside]) - gap) == half < shape.threshold
