from __future__ import annotations

from dataclasses import astuple

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from models.detector.calibration import calibrate
from models.detector.scoring import score_calls
from models.domain.call import Call
from models.text.window import WINDOWS, words_until
from simulations.measuring import JUDGED_AT_SECONDS, Judge
from tests.models.detector.small import authored_calls, small_detector


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
