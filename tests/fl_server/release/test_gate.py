"""The gate: each condition alone lets a model through or stops it, and what stopped it is said."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from fl_server.acceptance import AcceptanceScore
from fl_server.release.gate import (
    LARGEST_SCORE_DIFFERENCE,
    MOST_VERDICTS_CHANGED,
    TOLERATED_F1_LOSS,
    Candidate,
    judge_candidate,
    require_passed,
)
from models.errors import GateRefusedError

BASE = AcceptanceScore(f1=0.90, false_alarms_per_1000=10.0, loss=0.30, loss_error=0.02)
GOOD = Candidate(acceptance=BASE, base=BASE, score_difference=0.0, verdicts_changed=0.0)


def with_f1(f1: float) -> Candidate:
    return replace(GOOD, acceptance=replace(BASE, f1=f1))


def with_loss(loss: float) -> Candidate:
    return replace(GOOD, acceptance=replace(BASE, loss=loss))


AT_THE_LIMIT = {
    "F1 on the acceptance set": with_f1(BASE.f1 - TOLERATED_F1_LOSS),
    "Cross-entropy on the acceptance set": with_loss(BASE.loss + BASE.loss_error),
    "INT8 score against FP32": replace(GOOD, score_difference=LARGEST_SCORE_DIFFERENCE),
    "Verdicts that INT8 changes": replace(GOOD, verdicts_changed=MOST_VERDICTS_CHANGED),
}
BEYOND = {
    "F1 on the acceptance set": with_f1(BASE.f1 - TOLERATED_F1_LOSS - 1e-6),
    "Cross-entropy on the acceptance set": with_loss(BASE.loss + BASE.loss_error + 1e-6),
    "INT8 score against FP32": replace(GOOD, score_difference=LARGEST_SCORE_DIFFERENCE + 1e-6),
    "Verdicts that INT8 changes": replace(GOOD, verdicts_changed=MOST_VERDICTS_CHANGED + 1e-6),
}
NOT_A_NUMBER = {
    "F1 on the acceptance set": with_f1(math.nan),
    "Cross-entropy on the acceptance set": with_loss(math.nan),
    "INT8 score against FP32": replace(GOOD, score_difference=math.nan),
    "Verdicts that INT8 changes": replace(GOOD, verdicts_changed=math.nan),
}


def failed(candidate: Candidate) -> list[str]:
    return [condition.name for condition in judge_candidate(candidate) if not condition.passed]


def test_a_model_as_good_as_the_base_passes():
    require_passed(judge_candidate(GOOD))


def test_a_better_model_passes():
    better = AcceptanceScore(f1=1.0, false_alarms_per_1000=0.0, loss=0.0, loss_error=0.0)
    assert failed(replace(GOOD, acceptance=better)) == []


@pytest.mark.parametrize("name", AT_THE_LIMIT)
def test_a_model_at_a_limit_passes(name):
    assert failed(AT_THE_LIMIT[name]) == []


@pytest.mark.parametrize("name", BEYOND)
def test_each_condition_alone_stops_a_model(name):
    assert failed(BEYOND[name]) == [name]


@pytest.mark.parametrize("name", NOT_A_NUMBER)
def test_a_figure_that_is_no_number_stops_a_model(name):
    assert failed(NOT_A_NUMBER[name]) == [name]


def test_the_refusal_names_every_condition_that_failed_with_figure_and_limit_and_no_other():
    poor = replace(GOOD, acceptance=replace(BASE, f1=0.5), verdicts_changed=0.25)
    with pytest.raises(GateRefusedError) as refused:
        require_passed(judge_candidate(poor))
    assert str(refused.value) == (
        "the model is not released: F1 on the acceptance set: 0.500, at least 0.890; "
        "Verdicts that INT8 changes: 25.00%, at most 0.5%"
    )
    assert refused.value.exit_code == 4
