from __future__ import annotations

from dataclasses import replace

import pytest

from fl_client.observation import CallObservation, true_value
from models.domain.call import Label, ScamType
from models.domain.release import Verdict
from models.domain.statistic import (
    CALL_LENGTH,
    METRICS,
    OVERRIDE,
    RELEASE,
    SCAM_TYPE,
    SCORE,
    UNKNOWN_WORD_SHARE,
    VERDICT,
    Metric,
)

QUIET = CallObservation(Verdict.NORMAL, score=0.02, seconds=50, warned=False)
WARNED = CallObservation(Verdict.DANGEROUS, score=0.98, seconds=300, warned=True, scam_type=ScamType.AGENCY)


@pytest.mark.parametrize("metric", METRICS.values(), ids=lambda metric: metric.name)
def test_every_device_holds_one_value_of_the_domain_for_every_question(metric: Metric) -> None:
    assert true_value(metric, None) == "none"
    for call in (QUIET, WARNED, replace(WARNED, unknown_words=1.0, releases_behind=9, label=Label.NORMAL)):
        assert true_value(metric, call) in metric.values[1:]


@pytest.mark.parametrize(
    ("metric", "call", "value"),
    [
        (VERDICT, WARNED, "dangerous"),
        (SCORE, replace(QUIET, score=0.0), "0.00-0.01"),
        (SCORE, replace(QUIET, score=0.01), "0.01-0.03"),
        (SCORE, replace(QUIET, score=1.0), "0.90-1.00"),
        (CALL_LENGTH, replace(QUIET, seconds=29.9), "under_30s"),
        (CALL_LENGTH, replace(QUIET, seconds=30), "30s_to_1min"),
        (CALL_LENGTH, replace(QUIET, seconds=100_000), "over_10min"),
        (RELEASE, QUIET, "newest"),
        (RELEASE, replace(QUIET, releases_behind=1), "previous"),
        (RELEASE, replace(QUIET, releases_behind=7), "older"),
        (UNKNOWN_WORD_SHARE, QUIET, "unmeasured"),
        (UNKNOWN_WORD_SHARE, replace(QUIET, unknown_words=0.0), "under_20"),
        (UNKNOWN_WORD_SHARE, replace(QUIET, unknown_words=1.0), "over_50"),
        (OVERRIDE, QUIET, "not_warned"),
        (OVERRIDE, WARNED, "kept"),
        (OVERRIDE, replace(WARNED, label=Label.VISHING), "kept"),
        (OVERRIDE, replace(WARNED, label=Label.NORMAL), "overridden"),
        (OVERRIDE, replace(QUIET, label=Label.NORMAL), "not_warned"),
        (SCAM_TYPE, QUIET, "no_scam"),
        (SCAM_TYPE, replace(QUIET, scam_type=ScamType.LOAN), "no_scam"),
        (SCAM_TYPE, WARNED, "agency"),
        (SCAM_TYPE, replace(WARNED, scam_type=ScamType.UNKNOWN), "unknown"),
        (SCAM_TYPE, replace(WARNED, label=Label.NORMAL), "no_scam"),
        (SCAM_TYPE, replace(QUIET, label=Label.VISHING, scam_type=ScamType.LOAN), "loan"),
    ],
)
def test_the_true_value_follows_from_the_call(metric: Metric, call: CallObservation, value: str) -> None:
    assert true_value(metric, call) == value
