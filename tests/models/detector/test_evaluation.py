from __future__ import annotations

import json

import numpy as np
import pytest

from models.detector.evaluation import evaluate, measure
from models.domain.call import Call, Label, ScamType
from models.domain.release import Thresholds

THRESHOLDS = Thresholds(suspicious=0.6, dangerous=0.9)


def _calls(labels: list[int], types: list[ScamType] | None = None) -> list[Call]:
    kinds = types or [ScamType.UNKNOWN] * len(labels)
    return [
        Call(str(place), Label(label), text="네", source=f"source-{place % 2}", scam_type=kind)
        for place, (label, kind) in enumerate(zip(labels, kinds, strict=True))
    ]


def test_figures_of_four_calls_are_those_worked_out_by_hand() -> None:
    calls = _calls([1, 1, 0, 0], [ScamType.LOAN, ScamType.AGENCY, ScamType.UNKNOWN, ScamType.UNKNOWN])

    found = measure(np.array([0.9, 0.5, 0.7, 0.1]), calls, THRESHOLDS, np.ones(4, dtype=bool))

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

    found = measure(scores, calls, THRESHOLDS, np.ones(102, dtype=bool))

    assert found.precision_at_prevalence["0.01"] == pytest.approx(0.01 / (0.01 + 0.99 * 0.01))


@pytest.mark.parametrize("labels", [[0, 0], [1, 1]])
def test_what_is_undefined_is_null_and_never_nan(labels: list[int]) -> None:
    windows = evaluate({10: np.array([0.9, 0.1])}, _calls(labels), THRESHOLDS)

    json.dumps(windows, allow_nan=False)
    assert windows[0]["all"]["roc_auc"] is None


def test_every_source_has_figures_of_its_own() -> None:
    window = evaluate({30: np.array([0.9, 0.1, 0.9])}, _calls([1, 0, 1]), THRESHOLDS)[0]

    assert window["seconds"] == 30
    assert {source: figures["n"] for source, figures in window["by_source"].items()} == {"source-0": 2, "source-1": 1}
