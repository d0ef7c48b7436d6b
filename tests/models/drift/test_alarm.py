"""Alarms are held to their level, to their power, and to what the usual thresholds would do in their place."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from scipy.stats import binom, chi2

from models.drift.alarm import ALARM_LEVEL, Drift, Statistic, measure_drift
from models.drift.histogram import IN_CLEAR, Channel
from models.errors import BadInputError
from tests.models.drift.channels import observe, randomised_response, unary_encoding

VALUES = ("none", "normal", "suspicious", "dangerous")
NO_CALL = 0.4
USUAL = (0.85, 0.1, 0.05)
DRIFTED = (0.6, 0.2, 0.2)
FOLKLORE = 0.25
"""The stability index from which textbooks of credit scoring speak of a major shift."""

WORLDS = 1200
LEVEL = 0.05
"""Of the trials below: so many worlds tell it from twice as many alarms, which rarer ones couldn't."""

FEWEST, MOST = binom.ppf(0.001, WORLDS, LEVEL / 2), binom.ppf(0.999, WORLDS, LEVEL)
"""Alarms of a true level; a little caution is no fault."""


def measure(shares: Sequence[float], reports: int, channel: Channel, world: int, repetitions: int = 499) -> Drift:
    rng = np.random.default_rng(world)
    current = observe(VALUES, (NO_CALL, *((1 - NO_CALL) * share for share in shares)), reports, channel, rng)
    reference = observe(VALUES[1:], USUAL, 600, IN_CLEAR, rng)
    return measure_drift(current, reference, rng, apart=("none",), repetitions=repetitions)


@pytest.mark.parametrize(
    ("channel", "reports"),
    [(randomised_response(4, 1.0), 50), (randomised_response(4, 1.0), 1000), (unary_encoding(1.0), 1000)],
    ids=["response-50", "response-1000", "unary-1000"],
)
def test_without_drift_alarms_are_as_rare_as_they_promise(channel: Channel, reports: int) -> None:
    alarms = sum(measure(USUAL, reports, channel, world, 399).p <= LEVEL for world in range(WORLDS))
    assert FEWEST <= alarms <= MOST


def test_twice_the_alarms_would_be_seen() -> None:
    assert binom.ppf(0.01, WORLDS, 2 * LEVEL) > MOST


def test_the_alarm_keeps_its_level_of_one_in_a_hundred() -> None:
    channel, worlds = randomised_response(4, 1.0), 1500
    alarms = sum(measure(USUAL, 300, channel, world, 399).alarms for world in range(worlds))
    assert ALARM_LEVEL == 0.01
    assert binom.ppf(0.001, worlds, ALARM_LEVEL / 2) <= alarms <= binom.ppf(0.999, worlds, ALARM_LEVEL)


def test_the_usual_threshold_alarms_at_most_windows_in_which_nothing_drifted() -> None:
    channel = randomised_response(4, 0.5)
    drifts = [measure(USUAL, 300, channel, world, 199) for world in range(100)]
    assert sum(drift.statistics[Statistic.PSI].value > FOLKLORE for drift in drifts) > 60
    assert sum(drift.p <= LEVEL for drift in drifts) < 15


def test_answers_that_are_taken_for_true_ones_alarm_nearly_always() -> None:
    channel = randomised_response(4, 1.0)
    alarms = 0
    for world in range(50):
        rng = np.random.default_rng(world)
        current = observe(VALUES, (NO_CALL, *((1 - NO_CALL) * share for share in USUAL)), 1000, channel, rng)
        taken = type(current)(current.counts, current.reports, IN_CLEAR)
        reference = observe(VALUES[1:], USUAL, 600, IN_CLEAR, rng)
        alarms += measure_drift(taken, reference, rng, apart=("none",), repetitions=299).p <= LEVEL
    assert alarms == 50


@pytest.mark.parametrize("channel", [randomised_response(4, 1.0), unary_encoding(1.0)], ids=["response", "unary"])
def test_a_real_shift_is_seen_from_a_few_thousand_reports_on(channel: Channel) -> None:
    seen = sum(measure(DRIFTED, 4000, channel, world).alarms for world in range(60))
    assert seen >= 54


def test_fifty_randomised_reports_see_hardly_anything() -> None:
    assert sum(measure(DRIFTED, 50, randomised_response(4, 0.3), world).alarms for world in range(60)) < 10


def test_another_window_is_a_reference_too_with_its_own_noise() -> None:
    channel, alarms = randomised_response(4, 1.0), 0
    for world in range(WORLDS):
        rng = np.random.default_rng(world)
        now, then = (
            observe(VALUES, (quiet, *((1 - quiet) * np.array(USUAL))), 500, channel, rng) for quiet in (0.3, 0.5)
        )
        alarms += measure_drift(now, then, rng, apart=("none",), repetitions=299).p <= LEVEL
    assert FEWEST <= alarms <= MOST


def test_on_answers_in_clear_the_threshold_is_that_of_the_chi_square_distribution() -> None:
    rng = np.random.default_rng(5)
    reference = observe(VALUES, (0.3, 0.4, 0.2, 0.1), 10_000_000, IN_CLEAR, rng)
    current = observe(VALUES, (0.3, 0.4, 0.2, 0.1), 2000, IN_CLEAR, rng)
    measured = measure_drift(current, reference, rng, repetitions=20_000).statistics[Statistic.CHI_SQUARE]
    assert measured.threshold == pytest.approx(chi2.ppf(0.99, df=3), rel=0.05)
    assert measured.p == pytest.approx(chi2.sf(measured.value, df=3), abs=0.02)


def test_the_same_figures_give_the_same_alarm() -> None:
    assert measure(DRIFTED, 500, unary_encoding(1.0), 7) == measure(DRIFTED, 500, unary_encoding(1.0), 7)


def test_a_window_without_any_call_is_measured_and_alarms_nobody() -> None:
    rng = np.random.default_rng(1)
    silent = observe(VALUES, (1, 0, 0, 0), 500, randomised_response(4, 1.0), rng)
    assert not measure_drift(silent, observe(VALUES[1:], USUAL, 600, IN_CLEAR, rng), rng, apart=("none",)).alarms


def test_histograms_of_other_values_are_not_compared() -> None:
    rng = np.random.default_rng(1)
    one = observe(VALUES, (0.25,) * 4, 100, IN_CLEAR, rng)
    other = observe(("a", "b"), (0.5, 0.5), 100, IN_CLEAR, rng)
    for now, then, apart in ((one, other, ()), (one, one, VALUES[1:]), (other, one, ("none",))):
        with pytest.raises(BadInputError, match="other values"):
            measure_drift(now, then, rng, apart=apart)
