from __future__ import annotations

import json
from typing import Any

import pytest

from models.comparison import characters, encoder, networks
from models.comparison.figures import summarise
from tests.models.comparison.outcomes import PROTOCOL, made_outcome


@pytest.fixture(scope="module")
def figures() -> dict[str, Any]:
    return summarise(made_outcome(), PROTOCOL, {encoder.ROW: "no weights given"}, resamples=50)


def _row(figures: dict[str, Any], name: str) -> dict[str, Any]:
    return next(row for row in figures["rows"] if row["name"] == name)


def test_a_figure_is_the_mean_over_seeds(figures: dict[str, Any]) -> None:
    # Seed 0: all six right. Seed 1: of three vishing calls two found, and one false alarm of three.
    found = _row(figures, characters.ROW)["windows"][0]["all"]

    assert found["recall"] == pytest.approx((1 + 2 / 3) / 2)
    assert found["precision"] == pytest.approx((1 + 2 / 3) / 2)
    assert found["f1"] == pytest.approx((1 + 2 / 3) / 2)
    # Of the nine pairs of seed 1 the missed call wins none and ties two; each of the others wins two and ties one.
    assert found["roc_auc"] == pytest.approx((1 + (1 + 2.5 + 2.5) / 9) / 2)
    assert found["false_alarms_per_1000"] == pytest.approx(1000 / 3 / 2)
    # Bayes' rule at 1 %: precision 1 without false alarms; else .01 (2/3) / (.01 (2/3) + .99 / 3).
    assert found["precision_at_prevalence"]["0.01"] == pytest.approx((1 + (0.02 / 3) / (0.02 / 3 + 0.33)) / 2)


def test_figures_stand_by_calls_with_and_without_seconds(figures: dict[str, Any]) -> None:
    window = _row(figures, characters.ROW)["windows"][1]

    assert [window[part]["n"] for part in ("all", "timed", "others")] == [6, 2, 4]
    assert window["timed"]["f1"] == pytest.approx(0.5)
    assert window["others"]["f1"] == 1
    assert window["others"]["intervals"]["f1"] == (1, 1)
    low, high = window["all"]["intervals"]["f1"]
    assert low <= window["all"]["f1"] <= high


def test_the_best_two_are_of_two_models_and_tested_seed_by_seed(figures: dict[str, Any]) -> None:
    test = figures["mcnemar"][0]

    assert (test["first"], test["second"]) == (networks.ATTENTION, characters.ROW)
    assert [(each["seed"], each["only_first"], each["only_second"]) for each in test["by_seed"]] == [
        (0, 0, 0),
        (1, 2, 0),
    ]
    assert test["by_seed"][1]["mid_p"] == pytest.approx(0.25)


def test_flips_are_counted_in_all_by_side_and_by_change(figures: dict[str, Any]) -> None:
    at_30, at_60 = _row(figures, characters.ROW)["counterfactual"]

    assert (at_30["seconds"], at_60["seconds"]) == (30, 60)
    assert at_30["all"] == {"n": 8, "flipped": 4, "became_wrong": 4, "share": 0.5}
    assert at_30["by_side"]["normal"] == {"n": 4, "flipped": 2, "became_wrong": 2, "share": 0.5}
    assert at_30["by_change"]["허위 added"]["share"] == 0.5
    assert at_30["by_change"]["검찰 added"] == {"n": 0, "flipped": 0, "became_wrong": 0, "share": None}


def test_what_scripts_read_is_there(figures: dict[str, Any]) -> None:
    assert set(figures) == {"calls", "protocol", "rows", "mcnemar", "paper"}
    row = _row(figures, networks.ATTENTION)
    assert set(row) == {"name", "title", "skipped", "windows", "cost", "counterfactual"}
    assert set(row["windows"][0]) == {"seconds", "all", "timed", "others"}
    named = {"recall", "precision", "f1", "roc_auc", "recall_at_1_percent_false_alarms", "precision_at_prevalence"}
    assert named | {"intervals"} <= set(row["windows"][0]["all"])
    assert set(row["cost"]) == {"parameters", "bytes", "embedding_bytes", "flops", "flops_formula", "latency_ms"}
    assert set(row["cost"]["latency_ms"]) == {"median", "p95"}
    assert set(row["counterfactual"][0]) == {"seconds", "all", "by_side", "by_change"}
    assert json.loads(json.dumps(figures, allow_nan=False))


def test_a_row_that_was_not_measured_says_why(figures: dict[str, Any]) -> None:
    row = _row(figures, encoder.ROW)
    assert row["skipped"] == "no weights given"
    assert set(row) == {"name", "title", "skipped"}


def test_the_papers_figures_stand_beside_ours_and_are_said_to_be_of_other_calls(figures: dict[str, Any]) -> None:
    paper = figures["paper"]
    assert paper["f1"][networks.ATTENTION] == [0.984, 0.994, 0.996, 0.998, 0.999, 0.998]
    assert all(len(f1) == len(paper["seconds"]) for f1 in paper["f1"].values())
    assert "not comparable" in paper["note"]
