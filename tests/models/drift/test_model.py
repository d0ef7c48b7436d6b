from __future__ import annotations

import numpy as np
import pytest

from models.drift.model import compare_scores, compare_weights
from models.errors import BadInputError


def weights(*values: float) -> dict[str, np.ndarray]:
    return {"first": np.array(values[:2], np.float32), "second": np.array([values[2:]], np.float32)}


def test_a_change_of_weights_has_a_length_and_a_direction() -> None:
    # (3, 0, 4, 0) and (0, 0, 4, 3): 5 long each, 18^.5 apart, 16 / 25 in common
    change = compare_weights(weights(3, 0, 4, 0), weights(0, 0, 4, 3))
    assert change.distance == pytest.approx(18**0.5)
    assert change.relative == pytest.approx(18**0.5 / 5)
    assert change.cosine == pytest.approx(0.64)


def test_weights_that_only_grew_keep_their_direction() -> None:
    change = compare_weights(weights(1, 2, 3, 4), weights(2, 4, 6, 8))
    assert (change.relative, change.cosine) == pytest.approx((1, 1))


def test_weights_of_another_network_and_weights_of_nothing_are_not_compared() -> None:
    for before, after in (
        (weights(1, 2, 3, 4), {"first": np.ones(2, np.float32)}),
        (weights(1, 2, 3, 4), weights(1, 2, 3)),
        (weights(0, 0, 0, 0), weights(1, 0, 0, 0)),
    ):
        with pytest.raises(BadInputError):
            compare_weights(before, after)


def test_scores_are_compared_call_by_call() -> None:
    before, after = np.array([0.1, 0.2, 0.9, 0.8]), np.array([0.2, 0.2, 0.9, 0.4])
    stability = compare_scores(before, after, np.array([0, 0, 2, 2]), np.array([0, 0, 2, 0]))
    assert stability.mean_difference == pytest.approx(0.125)
    assert stability.largest_difference == pytest.approx(0.4)
    assert stability.verdicts_changed == 0.25
    assert stability.correlation == pytest.approx(np.corrcoef(before, after)[0, 1])


def test_scores_that_are_all_alike_have_no_correlation_to_lose() -> None:
    alike, verdicts = np.full(3, 0.5), np.zeros(3, np.intp)
    assert compare_scores(alike, alike, verdicts, verdicts).correlation == 1


def test_scores_of_other_calls_are_not_compared() -> None:
    for before, after in ((np.zeros(2), np.zeros(3)), (np.zeros(0), np.zeros(0))):
        with pytest.raises(BadInputError):
            compare_scores(before, after, np.zeros(len(before), np.intp), np.zeros(len(after), np.intp))
