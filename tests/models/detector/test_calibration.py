from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.detector.calibration import calibrate, choose_thresholds
from models.detector.decision import EVEN_SCORE, calibrate_logits, decide
from models.domain.release import Calibration, Verdict


@given(st.lists(st.tuples(st.floats(-1e6, 1e6), st.integers(0, 1)), max_size=30))
def test_any_logits_give_a_finite_calibration_and_ordered_thresholds(pairs: list[tuple[float, int]]) -> None:
    logits, labels = [pair[0] for pair in pairs], [pair[1] for pair in pairs]

    calibration, thresholds = calibrate(logits, labels)

    assert math.isfinite(calibration.slope)
    assert math.isfinite(calibration.offset)
    assert calibration.slope > 0
    assert EVEN_SCORE < thresholds.suspicious <= thresholds.dangerous < 1


def test_the_even_point_lies_between_the_classes_whatever_their_share() -> None:
    rng = np.random.default_rng(0)
    logits = np.concatenate([rng.normal(4, 1, 50), rng.normal(-2, 1, 1000)])
    labels = np.repeat([1, 0], [50, 1000])

    calibration, _ = calibrate(logits, labels)

    assert calibrate_logits(1.0, calibration) == pytest.approx(EVEN_SCORE, abs=0.12)


def test_the_even_point_moves_to_the_calls_that_weigh_more() -> None:
    rng = np.random.default_rng(2)
    easy, hard, vishing = rng.normal(-6, 1, 900), rng.normal(0, 1, 100), rng.normal(4, 1, 1000)
    logits, labels = np.concatenate([easy, hard, vishing]), np.repeat([0, 1], [1000, 1000])
    weights = np.repeat([1.0, 9.0, 1.0], [900, 100, 1000])

    plain, _ = calibrate(logits, labels)
    weighted, _ = calibrate(logits, labels, weights)

    assert -plain.offset / plain.slope < -weighted.offset / weighted.slope == pytest.approx(2.0, abs=0.3)


def test_scores_mean_what_they_say_under_equal_shares() -> None:
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 2, 20_000)
    logits = 0.5 * rng.normal((2 * labels - 1), 1.0)

    scores = calibrate_logits(logits, calibrate(logits, labels)[0])

    near = (scores > 0.75) & (scores < 0.85)
    assert labels[near].mean() == pytest.approx(0.8, abs=0.03)


@pytest.mark.parametrize("size", [1.0, 1e6])
def test_logits_that_differ_by_rounding_alone_stay_as_they_are(size: float) -> None:
    labels = np.arange(40) % 2
    logits = size * (1.0 + 2e-8 * np.random.default_rng(3).normal(size=40))

    assert calibrate(logits, labels)[0] == Calibration()


def test_fifty_of_a_thousand_normal_calls_are_suspicious_and_five_dangerous() -> None:
    scores = 0.6 + 0.34 * np.arange(1000) / 1000

    thresholds = choose_thresholds(scores)

    assert np.sum(scores >= thresholds.suspicious) <= 51
    assert np.sum(scores >= thresholds.dangerous) <= 6


def test_a_call_without_words_never_warns() -> None:
    assert decide(EVEN_SCORE, choose_thresholds(np.zeros(0))) is Verdict.NORMAL


def test_a_score_at_a_threshold_warns() -> None:
    thresholds = choose_thresholds(np.zeros(0))

    assert decide(thresholds.suspicious, thresholds) is Verdict.SUSPICIOUS
    assert decide(thresholds.dangerous, thresholds) is Verdict.DANGEROUS


def test_huge_logits_stay_finite() -> None:
    assert np.isfinite(calibrate_logits([1e300, -1e300], Calibration(slope=1e5))).all()
