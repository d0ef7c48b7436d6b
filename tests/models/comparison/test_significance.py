from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import f1_score

from models.comparison.significance import compare_paired, draw_groups, intervals


def _judgements(both: int, first: int, second: int, neither: int) -> tuple[np.ndarray, np.ndarray]:
    counts = (both, first, second, neither)
    return np.repeat([True, True, False, False], counts), np.repeat([True, False, True, False], counts)


@pytest.mark.parametrize(("first", "second", "mid_p"), [(5, 23, 5.46e-4), (0, 13, 1.22e-4)])
def test_the_mid_p_is_that_of_the_papers_two_tests(first: int, second: int, mid_p: float) -> None:
    test = compare_paired(*_judgements(900, first, second, 20))

    assert (test.only_first, test.only_second) == (first, second)
    assert test.mid_p == pytest.approx(mid_p, rel=2e-3)


def test_the_mid_p_of_three_against_one_is_worked_out_by_hand() -> None:
    # Two-sided exact: 2 (1 + 4) / 16; the observed outcome counts half on both sides: minus 4 / 16.
    assert compare_paired(*_judgements(0, 3, 1, 0)).mid_p == pytest.approx(10 / 16 - 4 / 16)


def test_models_that_err_alike_are_not_told_apart() -> None:
    assert compare_paired(*_judgements(10, 0, 0, 3)).mid_p == pytest.approx(0.5)
    assert compare_paired(*_judgements(10, 4, 4, 3)).mid_p > 0.8


def test_groups_are_drawn_whole() -> None:
    draws = draw_groups(["a", "a", "a", "b"], seed=0, resamples=200)

    assert {tuple(np.sort(draw)) for draw in draws} == {(0, 0, 1, 1, 2, 2), (0, 1, 2, 3), (3, 3)}


def test_an_interval_is_that_of_drawing_one_by_one() -> None:
    rng = np.random.default_rng(0)
    truth = rng.random(60) < 0.5
    warnings = np.stack([truth ^ (rng.random(60) < 0.2) for _ in range(2)])
    draws = draw_groups([place // 3 for place in range(60)], seed=1, resamples=100)
    one_by_one = [np.mean([f1_score(truth[draw], warned[draw]) for warned in warnings]) for draw in draws]

    assert intervals(truth, warnings, draws)["f1"] == pytest.approx(np.percentile(one_by_one, (2.5, 97.5)))


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    # Recall .8, 100 calls in groups of one: 95 of 100 intervals should hold it; fewer than 87 would be no accident.
    rng, covered = np.random.default_rng(3), 0
    truth = np.ones(100, dtype=bool)
    for seed in range(100):
        low, high = intervals(truth, rng.random((1, 100)) < 0.8, draw_groups(range(100), seed, resamples=200))["recall"]
        covered += low <= 0.8 <= high
    assert 87 <= covered <= 100


def test_without_any_vishing_call_recall_and_f1_have_no_interval() -> None:
    draws = draw_groups(range(5), seed=0, resamples=20)
    assert intervals(np.zeros(5, dtype=bool), np.zeros((1, 5), dtype=bool), draws)["recall"] is None
