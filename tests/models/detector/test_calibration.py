from __future__ import annotations

import math
from dataclasses import astuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import ArrayLike

from models.detector.calibration import calibrate, choose_thresholds
from models.detector.decision import EARLY_WORDS, EVEN_SCORE, FEWEST_WORDS, LATE_WORDS, calibrate_logits, decide
from models.domain.release import Calibration, Thresholds, Verdict
from models.text.window import WINDOWS, expected_words


def calibrate_once(
    logits: ArrayLike, labels: ArrayLike, weights: ArrayLike | None = None, words: int = 100
) -> tuple[Calibration, Thresholds]:
    """Calibrate on calls heard once, all as long."""
    return calibrate([logits], np.full((1, np.size(labels)), words), labels, weights)


@given(st.lists(st.tuples(st.floats(-1e6, 1e6), st.integers(0, 1), st.integers(0, 2000)), max_size=30))
def test_any_logits_give_a_finite_calibration_and_ordered_thresholds(heard: list[tuple[float, int, int]]) -> None:
    logits, labels, words = (np.array([each[place] for each in heard]) for place in range(3))

    calibration, thresholds = calibrate([logits, -logits], [words, words + 1], labels)

    assert all(map(math.isfinite, astuple(calibration)))
    assert min(calibration.early_slope, calibration.late_slope) > 0
    assert EVEN_SCORE < thresholds.suspicious <= thresholds.dangerous < 1


def test_the_even_point_lies_between_the_classes_whatever_their_share() -> None:
    rng = np.random.default_rng(0)
    logits = np.concatenate([rng.normal(4, 1, 50), rng.normal(-2, 1, 1000)])
    labels = np.repeat([1, 0], [50, 1000])

    calibration, _ = calibrate_once(logits, labels)

    assert calibrate_logits(1.0, 100, calibration) == pytest.approx(EVEN_SCORE, abs=0.12)


def test_the_even_point_moves_to_the_calls_that_weigh_more() -> None:
    rng = np.random.default_rng(2)
    easy, hard, vishing = rng.normal(-6, 1, 900), rng.normal(0, 1, 100), rng.normal(4, 1, 1000)
    logits, labels = np.concatenate([easy, hard, vishing]), np.repeat([0, 1], [1000, 1000])
    weights = np.repeat([1.0, 9.0, 1.0], [900, 100, 1000])

    plain, weighted = (calibrate_once(logits, labels, each)[0] for each in (None, weights))

    assert calibrate_logits(2.0, 100, weighted) == pytest.approx(EVEN_SCORE, abs=0.12)
    assert calibrate_logits(2.0, 100, plain) > 0.7


def test_scores_mean_what_they_say_under_equal_shares_however_much_was_heard() -> None:
    rng = np.random.default_rng(1)
    labels, words = rng.integers(0, 2, 40_000), np.array([[EARLY_WORDS], [70], [LATE_WORDS]])
    told = np.array([[0.4], [0.8], [1.2]])  # the more is heard, the more a logit tells
    logits = rng.normal(told * (2 * labels - 1), 1.0)

    scores = calibrate_logits(logits, words, calibrate(logits, np.repeat(words, 40_000, axis=1), labels)[0])

    for said in scores:
        near = (said > 0.65) & (said < 0.75)
        assert labels[near].mean() == pytest.approx(0.7, abs=0.03)


def test_the_slope_changes_from_the_first_window_to_the_last() -> None:
    assert [expected_words(WINDOWS[0]), expected_words(WINDOWS[-1])] == [EARLY_WORDS, LATE_WORDS]


def test_a_calibration_changes_no_further_beyond_its_ends() -> None:
    calibration = Calibration(0.5, 2.0, -1.0)

    scores = calibrate_logits(1.0, [0, 1, EARLY_WORDS, LATE_WORDS, 10 * LATE_WORDS], calibration)

    assert scores[0] == scores[1] == scores[2] == pytest.approx(1 / (1 + math.exp(0.5)))
    assert scores[3] == scores[4] == pytest.approx(1 / (1 + math.exp(-1.0)))


@pytest.mark.parametrize("size", [1.0, 1e6])
def test_logits_that_differ_by_rounding_alone_stay_as_they_are(size: float) -> None:
    labels = np.arange(40) % 2
    logits = size * (1.0 + 2e-8 * np.random.default_rng(3).normal(size=40))

    assert calibrate_once(logits, labels)[0] == Calibration()


def test_150_of_a_thousand_normal_calls_are_suspicious_and_15_dangerous() -> None:
    thresholds = choose_thresholds(0.6 + 0.34 * np.arange(1000) / 1000)

    assert thresholds.suspicious == pytest.approx(0.6 + 0.34 * 0.85, abs=0.001)
    assert thresholds.dangerous == pytest.approx(0.6 + 0.34 * 0.985, abs=0.001)


def test_a_call_that_warns_at_any_moment_is_one_false_alarm() -> None:
    rng = np.random.default_rng(4)
    labels, words = np.repeat([0, 1], 2000), np.full((6, 4000), 100)
    logits = rng.normal(2 * labels - 1, 1.0, (6, 4000))  # of one call no moment tells of another

    calibration, thresholds = calibrate(logits, words, labels)

    alarms = calibrate_logits(logits, words, calibration)[:, labels == 0] >= thresholds.suspicious
    assert alarms.any(axis=0).mean() == pytest.approx(0.15, abs=0.001)
    assert alarms.mean() < 0.03


def test_what_is_said_of_a_greeting_counts_for_nothing() -> None:
    rng = np.random.default_rng(5)
    labels = np.repeat([0, 1], 500)
    logits = rng.normal(4 * labels - 2, 1.0, (1, 1000))
    greeted, few = rng.normal(9, 1, (1, 1000)), np.full((1, 1000), FEWEST_WORDS - 1)

    alone = calibrate(logits, few + 100, labels)

    assert calibrate(np.vstack([greeted, logits]), np.vstack([few, few + 100]), labels) == alone
    assert calibrate(np.vstack([greeted, logits]), np.vstack([few + 1, few + 100]), labels) != alone


def test_a_call_without_words_never_warns() -> None:
    assert decide(EVEN_SCORE, 100, choose_thresholds(np.zeros(0))) is Verdict.NORMAL


def test_a_score_at_a_threshold_warns() -> None:
    thresholds = choose_thresholds(np.zeros(0))

    assert decide(thresholds.suspicious, FEWEST_WORDS, thresholds) is Verdict.SUSPICIOUS
    assert decide(thresholds.dangerous, FEWEST_WORDS, thresholds) is Verdict.DANGEROUS
    assert decide(thresholds.dangerous, FEWEST_WORDS - 1, thresholds) is Verdict.NORMAL


def test_huge_logits_stay_finite() -> None:
    assert np.isfinite(calibrate_logits([1e300, -1e300], 100, Calibration(1e5, 1e5))).all()
