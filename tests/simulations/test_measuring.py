from __future__ import annotations

from dataclasses import astuple, replace

import numpy as np
import pytest
from sklearn.metrics import f1_score, roc_auc_score

from models.detector.bag_training import fit_bag
from models.detector.calibration import calibrate
from models.detector.decision import calibrate_logits
from models.detector.scoring import score_calls
from models.domain.call import Call, Label
from models.text.window import WINDOWS, words_until
from simulations.measuring import JUDGED_AT_SECONDS, Judge
from tests.models.detector.small import SCHEME, authored_calls, small_detector


def labels_of(calls: list[Call]) -> list[int]:
    return [int(call.label) for call in calls]


def test_models_are_judged_with_the_bag_of_their_base_as_devices_judge() -> None:
    base, calls = small_detector(), authored_calls(40)
    acceptance, kept_apart = calls[:24], calls[24:]
    judge = Judge(base, acceptance, kept_apart)

    heard = [score_calls(base, acceptance, seconds) for seconds in WINDOWS]
    words = [[len(words_until(call, seconds)) for call in acceptance] for seconds in WINDOWS]
    calibration, thresholds = calibrate(heard, words, labels_of(acceptance))
    found = judge.calibrate(base.parameters)
    for mine, expected in zip(found, (calibration, thresholds), strict=True):
        np.testing.assert_allclose(astuple(mine), astuple(expected), rtol=1e-4)
    apart = score_calls(base, kept_apart, JUDGED_AT_SECONDS)
    assert judge.measure(base.parameters).roc_auc == pytest.approx(roc_auc_score(labels_of(kept_apart), apart))


def test_models_are_compared_at_30_seconds_by_the_words_heard_until_then() -> None:
    calls = [
        replace(call, label=Label(1 - call.label)) if at % 7 == 0 else call
        for at, call in enumerate(authored_calls(60))
    ]
    base = replace(small_detector(), bag=fit_bag(calls, SCHEME))
    acceptance, kept_apart = calls[:30], calls[30:]
    judge = Judge(base, acceptance, kept_apart)
    calibration, thresholds = judge.calibrate(base.parameters)

    accepted, measured = judge.accept(base.parameters), judge.measure(base.parameters)

    for found, chosen in ((accepted, acceptance), (measured, kept_apart)):
        words = [len(words_until(call, JUDGED_AT_SECONDS)) for call in chosen]
        scores = calibrate_logits(score_calls(base, chosen, JUDGED_AT_SECONDS), words, calibration)
        alarms, vishing = scores >= thresholds.suspicious, np.array(labels_of(chosen)) > 0
        assert found.f1 == pytest.approx(f1_score(vishing, alarms))
        assert found.false_alarms_per_1000 == pytest.approx(1000 * alarms[~vishing].mean())
        if chosen is acceptance:
            assert accepted.loss == pytest.approx(-np.log(np.where(vishing, scores, 1 - scores)).mean(), rel=1e-4)
