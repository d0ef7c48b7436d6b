from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.domain.privacy import Adversary
from models.domain.round import ReplyFate
from simulations.report.content import UpdateNorms, content_as_json
from simulations.report.validity import ReportContentError, require_share
from tests.simulations.report.example import example_content, example_detection, example_scores, example_statistics


def test_the_whole_content_is_one_json_object() -> None:
    written = json.loads(content_as_json(example_content()))
    assert written["before"]["recall_by_type"]["messenger"] == 0.31
    assert written["rounds"][0]["report"]["fates"]["folded"] == 44
    assert written["privacy"][0]["simulated"] == {"devices": 200, "cohort": 50}


def test_a_figure_that_is_not_finite_is_refused_by_the_json() -> None:
    content = example_content()
    endless = replace(content, run=replace(content.run, seconds=math.inf))
    with pytest.raises(ReportContentError, match="not finite"):
        content_as_json(endless)


@given(st.floats().filter(lambda value: not 0 <= value <= 1))
def test_what_is_no_share_is_refused(value: float) -> None:
    with pytest.raises(ReportContentError):
        require_share("F1", value)
    with pytest.raises(ReportContentError):
        replace(example_scores(0.9, 0.3, 0.9, 5.0), f1=value)


def test_an_epsilon_that_no_statement_explains_is_refused() -> None:
    content = example_content()
    with pytest.raises(ReportContentError, match="no privacy statement"):
        replace(content, privacy=tuple(s for s in content.privacy if s.against is Adversary.RECIPIENTS))


def test_fates_must_add_up_to_the_devices_asked() -> None:
    outcome = example_content().rounds[0]
    with pytest.raises(ReportContentError, match="fates"):
        replace(outcome, report=replace(outcome.report, fates={ReplyFate.FOLDED: 3}))


def test_norms_must_be_in_order() -> None:
    with pytest.raises(ReportContentError, match="norms"):
        UpdateNorms(2.0, 1.0, 3.0, None)
    with pytest.raises(ReportContentError, match="norms"):
        UpdateNorms(1.0, math.nan, 3.0, None)


def test_statistics_speak_of_every_value_and_detections_of_some_window() -> None:
    with pytest.raises(ReportContentError, match="each value"):
        replace(example_statistics(), true_shares={"none": 1.0})
    with pytest.raises(ReportContentError, match="window"):
        replace(example_detection(), windows=())


def test_a_report_needs_a_round() -> None:
    with pytest.raises(ReportContentError, match="round"):
        replace(example_content(), rounds=())
