from __future__ import annotations

import json
from pathlib import Path

import pytest

from models.__main__ import main
from models.corpus.reader import read_calls, write_calls
from models.detector.detector import TrainedDetector
from models.domain.call import Call, Label, Segment
from models.domain.release import Calibration, Thresholds
from tests.models.detector.small import authored_calls, small_detector
from tests.vectors.make import RELEASE


@pytest.fixture
def calls(tmp_path: Path) -> Path:
    path = tmp_path / "calls.jsonl"
    write_calls(path, authored_calls(40))
    return path


@pytest.fixture
def model(tmp_path: Path) -> Path:
    small_detector().save(tmp_path / "model")
    return tmp_path / "model"


def test_train_saves_a_detector(calls: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["train", "--calls", str(calls), "--out", str(tmp_path / "out"), "--dimensions", "8", "--steps", "9"])

    assert code == 0
    trained = TrainedDetector.load(tmp_path / "out")
    assert trained.embedding.dimensions == 8
    assert trained.lineage["settings"]["steps"] == 9
    assert capsys.readouterr().out == ""


def test_an_exported_detector_is_measured_like_the_trained_one(
    calls: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", "--model", str(model), "--out", str(tmp_path / "exported")]) == 0
    for name in ("model", "exported"):
        options = ["--calls", str(calls), "--seconds", "10,30", "--scores", str(tmp_path / f"{name}.jsonl"), "--json"]
        assert main(["evaluate", "--model", str(tmp_path / name), *options]) == 0
    torch_figures, onnx_figures = map(json.loads, capsys.readouterr().out.splitlines())

    assert [window["seconds"] for window in torch_figures["windows"]] == [10, 30]
    assert set(torch_figures["windows"][0]["by_source"]) == {"authored"}
    torch_scores, onnx_scores = (_scores(tmp_path / f"{name}.jsonl") for name in ("model", "exported"))
    assert list(torch_scores) == list(onnx_scores)
    assert len(torch_scores) == 80
    assert all(abs(score - onnx_scores[key]) < 0.02 for key, score in torch_scores.items())
    assert onnx_figures["thresholds"] == {"suspicious": 0.6, "dangerous": 0.9}


def test_no_call_of_four_words_is_told_to_warn_whatever_it_scores(tmp_path: Path) -> None:
    sure = small_detector().with_calibration(Calibration(offset=20.0), Thresholds(0.6, 0.9))
    sure.save(tmp_path / "model")
    assert main(["export", "--model", str(tmp_path / "model"), "--out", str(tmp_path / "exported")]) == 0
    said = {"four": "네 여보세요 누구 세요", "five": "네 여보세요 거기 누구 세요"}
    write_calls(tmp_path / "calls.jsonl", [Call(name, Label.VISHING, text=text) for name, text in said.items()])

    for model in ("model", "exported"):
        files = ["--calls", str(tmp_path / "calls.jsonl"), "--scores", str(tmp_path / "scores.jsonl")]
        assert main(["evaluate", "--model", str(tmp_path / model), "--seconds", "10", *files]) == 0
        verdicts = [json.loads(line)["verdict"] for line in (tmp_path / "scores.jsonl").read_text().splitlines()]
        assert verdicts == ["normal", "dangerous"]


def _scores(path: Path) -> dict[tuple[str, int], float]:
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert all(row["verdict"] in {"normal", "suspicious", "dangerous"} for row in rows)
    return {(row["id"], row["seconds"]): row["score"] for row in rows}


def test_without_json_nothing_is_printed_on_standard_output(
    calls: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", "--model", str(model), "--calls", str(calls), "--seconds", "30"]) == 0
    printed = capsys.readouterr()

    assert printed.out == ""
    assert "authored" in printed.err


def test_calls_of_three_hours_are_measured_with_seconds_and_without(model: Path, tmp_path: Path) -> None:
    turn = "여보세요 네 계좌로 보내세요 점심은 먹었어요 확인해 보겠습니다 잠시만요"
    segments = tuple(Segment(at, at + 4.5, turn) for at in range(0, 3 * 3600, 5))
    calls = [
        Call("a", Label.VISHING, segments=segments),
        Call("b", Label.NORMAL, text=" ".join([turn] * len(segments))),
    ]
    write_calls(tmp_path / "long.jsonl", calls)
    for name in (str(model), str(RELEASE)):
        command = ["evaluate", "--model", name, "--calls", str(tmp_path / "long.jsonl"), "--seconds", "30,10800"]
        assert main([*command, "--scores", str(tmp_path / "scores.jsonl")]) == 0
        scores = _scores(tmp_path / "scores.jsonl")
        assert set(scores) == {(call, seconds) for call in "ab" for seconds in (30, 10_800)}
        assert all(0 < score < 1 for score in scores.values())


@pytest.mark.parametrize("seconds", ["", "0", "-3", "ten", "10,,20", "nan", "inf"])
def test_seconds_that_are_no_times_are_a_usage_error(calls: Path, model: Path, seconds: str) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["evaluate", "--model", str(model), "--calls", str(calls), f"--seconds={seconds}"])

    assert stopped.value.code == 2


def test_what_cannot_be_read_or_written_is_one_line_and_exit_code_3(
    calls: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    taken = tmp_path / "taken"
    taken.write_text("")
    lines = [
        ["evaluate", "--model", str(tmp_path / "nowhere"), "--calls", str(calls)],
        ["evaluate", "--model", str(model), "--calls", str(tmp_path / "nowhere.jsonl")],
        ["evaluate", "--model", str(model), "--calls", str(calls), "--scores", str(tmp_path / "no" / "scores")],
        ["evaluate", "--model", str(model), "--calls", str(calls), str(calls)],
        ["train", "--calls", str(calls), "--out", str(taken)],
        ["export", "--model", str(model), "--out", str(taken)],
        ["export", "--model", "/dev/null", "--out", str(tmp_path / "out")],
    ]
    for arguments in lines:
        assert main(arguments) == 3, arguments
        assert capsys.readouterr().err.count("\n") == 1, arguments


def test_a_full_disk_is_one_line(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no device that is always full")
    scores = ["--calls", "synthetic", "--synthetic", "4", "--seconds", "10", "--scores", "/dev/full/scores"]

    assert main(["evaluate", "--model", str(model), *scores]) == 3
    assert capsys.readouterr().err.count("\n") == 1


def test_compare_prints_one_object_and_writes_a_page(
    calls: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--folds", "2", "--seeds", "2", "--only", "tfidf-logistic-regression", "--out", str(tmp_path / "out")]
    assert main(["compare", "--calls", str(calls), *options, "--json"]) == 0
    printed = capsys.readouterr().out

    assert printed.count("\n") == 1
    figures = json.loads(printed)
    assert set(figures) == {"calls", "protocol", "rows", "mcnemar", "paper", "report"}
    assert [row["name"] for row in figures["rows"]] == ["tfidf-logistic-regression"]
    assert figures["protocol"]["seeds"] == [0, 1]
    assert Path(figures["report"]).read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert json.loads((tmp_path / "out" / "comparison.json").read_text(encoding="utf-8")) == figures


def test_compare_without_json_shows_a_table_to_people(calls: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--folds", "2", "--only", "tfidf-logistic-regression,encoder"]
    assert main(["compare", "--calls", str(calls), *options]) == 0
    printed = capsys.readouterr()

    assert printed.out == ""
    assert "0:00 0/2 grouping near duplicates" in printed.err
    assert "1/2 seed 0, fold 2: tfidf-logistic-regression learns" in printed.err
    assert "TF-IDF" in printed.err
    assert "no weights" in printed.err


def test_calls_that_cannot_be_compared_on_are_one_line(
    calls: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one_label, empty, taken = (tmp_path / name for name in ("one.jsonl", "empty.jsonl", "taken"))
    write_calls(one_label, [call for call in authored_calls(20) if call.label == 0])
    empty.write_text("")
    taken.write_text("")
    fast = ["--only", "tfidf-logistic-regression"]
    lines = {
        ("compare", "--calls", str(one_label), *fast): 3,
        ("compare", "--calls", str(empty), *fast): 3,
        ("compare", "--calls", str(calls), "--folds", "21", *fast): 3,
        ("compare", "--calls", str(calls), "--hard", "nowhere", *fast): 3,
        ("compare", "--calls", str(calls), "--out", str(taken), *fast): 3,
        ("compare", "--calls", str(calls), "--only", "nobody"): 2,
        ("counterfactual", str(empty), str(tmp_path / "out.jsonl")): 3,
        ("counterfactual", str(calls), str(tmp_path / "nowhere" / "out.jsonl")): 3,
    }
    for arguments, code in lines.items():
        assert main(arguments) == code, arguments
        said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
        assert len(said) == 1, arguments


def test_a_wrong_name_of_a_row_is_refused_before_anything_is_read(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", "--calls", "nowhere.jsonl", "--only", "tfidf-logistic-regression,nobody"]) == 2
    assert capsys.readouterr().err.startswith("error: there is no row 'nobody': expected some of lstm-attention, ")


@pytest.mark.parametrize("folds", ["0", "1", "two"])
def test_fewer_than_two_folds_are_a_usage_error(calls: Path, folds: str) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["compare", "--calls", str(calls), "--folds", folds])
    assert stopped.value.code == 2


def test_counterfactual_writes_calls_that_can_be_read(
    calls: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["counterfactual", str(calls), str(tmp_path / "changed.jsonl"), "--hard", "all"]) == 0

    changed = read_calls(tmp_path / "changed.jsonl")
    assert len(changed) == 20 * 6 + 20
    assert capsys.readouterr().out == ""
