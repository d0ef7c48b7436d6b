from __future__ import annotations

import json
import re

from models.comparison import characters, encoder
from models.comparison.figures import Figures, summarise
from models.comparison.page import render_comparison
from tests.models.comparison.outcomes import PROTOCOL, made_outcome

FIGURES: Figures = summarise(made_outcome(), PROTOCOL, {encoder.ROW: "no weights given"}, resamples=20)


def test_the_page_loads_nothing_runs_no_script_and_escapes_what_calls_say() -> None:
    page = render_comparison(FIGURES)

    assert "default-src 'none'" in page
    assert not re.search(r"<script|https?://(?!www\.w3\.org)|src=|@import|url\((?!#)", page)
    assert "<b>talk" not in page
    assert "&lt;b&gt;talk" in page


def test_the_page_shows_every_row_in_both_languages_and_why_one_is_missing() -> None:
    page = render_comparison(FIGURES, "ko")

    for title in (
        "LSTM-Attention, n-grams, FP32",
        "LSTM-Attention, n-grams, INT8",
        "TF-IDF, logistic regression",
        "TF-IDF 로지스틱 회귀",
    ):
        assert title in page
    assert "no weights given" in page
    assert "0.833" in page
    assert "not comparable digit by digit" in page
    assert page.count("<svg") == 4
    assert not re.search(r"\bnan\b|None", re.sub(r"<[^>]*>", " ", page))


def test_a_saved_file_gives_the_same_page() -> None:
    assert render_comparison(json.loads(json.dumps(FIGURES))) == render_comparison(FIGURES)


def test_where_all_calls_have_seconds_they_are_shown_once() -> None:
    page = render_comparison(FIGURES | {"calls": FIGURES["calls"] | {"timed": FIGURES["calls"]["n"]}})
    assert page.count("<svg") == 2


def test_where_nothing_was_measured_the_page_says_so() -> None:
    skipped = [row for row in FIGURES["rows"] if row["skipped"]]
    assert "Nothing was measured" in render_comparison(FIGURES | {"rows": skipped, "mcnemar": []})


def test_a_row_without_a_figure_has_a_dash() -> None:
    rows = json.loads(json.dumps(FIGURES))["rows"]
    for row in rows:
        if row["name"] == characters.ROW:
            row["windows"][0]["timed"] |= {"f1": None, "roc_auc": None, "false_alarms_per_1000": None}
            row["windows"][0]["timed"]["intervals"] = {"f1": None}
    assert "–" in render_comparison(FIGURES | {"rows": rows})
