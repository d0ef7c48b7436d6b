from __future__ import annotations

import json

import numpy as np
import pytest

from models.detector.evaluation import WindowScores, evaluate, measure
from models.domain.call import Call, Label, ScamType
from models.domain.release import Thresholds

THRESHOLDS = Thresholds(suspicious=0.6, dangerous=0.9)


def _calls(labels: list[int], types: list[ScamType] | None = None) -> list[Call]:
    kinds = types or [ScamType.UNKNOWN] * len(labels)
    return [
        Call(str(place), Label(label), text="네", source=f"source-{place % 2}", scam_type=kind)
        for place, (label, kind) in enumerate(zip(labels, kinds, strict=True))
    ]


def heard(*scores: float, words: int = 100) -> WindowScores:
    return WindowScores(np.array(scores), np.full(len(scores), words))


def test_figures_of_four_calls_are_those_worked_out_by_hand() -> None:
    calls = _calls([1, 1, 0, 0], [ScamType.LOAN, ScamType.AGENCY, ScamType.UNKNOWN, ScamType.UNKNOWN])

    found = measure(np.array([0.9, 0.5, 0.7, 0.1]), np.array([True, False, True, False]), calls, np.ones(4, dtype=bool))

    assert (found.n, found.positives) == (4, 2)
    assert (found.precision, found.recall, found.f1) == (0.5, 0.5, 0.5)
    assert found.roc_auc == 0.75
    assert found.recall_by_type == {"agency": 0.0, "loan": 1.0}
    assert found.recall_at_1_percent_false_alarms == 0.5
    assert found.false_alarms_per_1000 == 500
    assert found.precision_at_prevalence["0.01"] == pytest.approx(0.01)


def test_precision_falls_with_prevalence_by_bayes_rule() -> None:
    calls = _calls([1] * 2 + [0] * 100)
    scores = np.array([0.9, 0.9, 0.9] + [0.1] * 99)

    found = measure(scores, scores > 0.5, calls, np.ones(102, dtype=bool))

    assert found.precision_at_prevalence["0.01"] == pytest.approx(0.01 / (0.01 + 0.99 * 0.01))


@pytest.mark.parametrize("labels", [[0, 0], [1, 1]])
def test_what_is_undefined_is_null_and_never_nan(labels: list[int]) -> None:
    windows = evaluate({10: heard(0.9, 0.1)}, _calls(labels), THRESHOLDS)

    json.dumps(windows, allow_nan=False)
    assert windows[0]["all"]["roc_auc"] is None


def test_every_source_has_figures_of_its_own() -> None:
    window = evaluate({30: heard(0.9, 0.1, 0.9)}, _calls([1, 0, 1]), THRESHOLDS)[0]

    assert window["seconds"] == 30
    assert {source: figures["n"] for source, figures in window["by_source"].items()} == {"source-0": 2, "source-1": 1}


def test_a_warning_once_given_counts_in_every_later_window() -> None:
    calls = _calls([1, 1, 0, 0])
    windows = {30: heard(0.1, 0.9, 0.1, 0.1), 10: heard(0.9, 0.1, 0.7, 0.1), 20: heard(0.1, 0.1, 0.1, 0.1)}

    found = evaluate(windows, calls, THRESHOLDS)

    assert [each["seconds"] for each in found] == [10, 20, 30]
    assert [each["all"]["recall"] for each in found] == [0.5, 0, 0.5]
    assert [each["all"]["recall_by_then"] for each in found] == [0.5, 0.5, 1]
    assert [each["all"]["false_alarms_per_1000_by_then"] for each in found] == [500, 500, 500]
    assert found[1]["by_source"]["source-1"]["recall_by_then"] == 0


def test_no_call_of_few_words_warns_whatever_it_scores() -> None:
    calls = _calls([1, 0])

    few, enough = (evaluate({10: heard(0.99, 0.99, words=n)}, calls, THRESHOLDS)[0]["all"] for n in (4, 5))

    assert (few["recall"], few["recall_by_then"], few["false_alarms_per_1000"]) == (0, 0, 0)
    assert (enough["recall"], enough["recall_by_then"], enough["false_alarms_per_1000"]) == (1, 1, 1000)
