"""A local language model as a command: small programs stand for it, real processes and pipes all the same."""

from __future__ import annotations

import fcntl
import json
import sys
from pathlib import Path

import pytest

from fl_client.__main__ import main
from fl_client.local_model import LocalModel, LocalModelError
from models.corpus.reader import write_calls
from models.detector.evidence import EvidenceFinder
from models.detector.explanation import Finding
from models.detector.export import export_detector
from models.domain.call import Call, Label
from models.domain.release import Calibration, Thresholds, Verdict
from models.errors import UsageError
from tests.models.detector.small import small_detector

SAID = "검찰인데요 통장이 범죄에 쓰였습니다"
MORE = "홍길동 김철수 박영희 이순신 강감찬 정약용 최무선 윤봉길 장영실"


def finding(said: str = SAID) -> Finding:
    finder = EvidenceFinder()
    finder.hear(said.split())
    return Finding(Verdict.DANGEROUS, ("통장이",), finder.found, said.split())


def program(folder: Path, code: str) -> str:
    """Return a command line that runs Python code."""
    path = folder / "model.py"
    path.write_text(f"import os, sys, time\n{code}\n", encoding="utf-8")
    return f"'{sys.executable}' -S '{path}'"


def ask(folder: Path, code: str, seconds: float = 30.0, told: Finding | None = None) -> str:
    return LocalModel.parse(program(folder, code), seconds).explain(told or finding())


def test_the_model_is_told_verdict_key_tokens_evidence_and_what_was_heard(tmp_path: Path) -> None:
    asked = ask(tmp_path, "sys.stdout.buffer.write(sys.stdin.buffer.read())")
    for part in ("판정: 위험", "핵심어: 통장이", "검찰", f"통화: {SAID}"):
        assert part in asked


def test_a_long_call_is_told_from_its_end_and_never_holds_us_up(tmp_path: Path) -> None:
    told = finding("가나다라 " * 100_000 + "끝말")
    asked = ask(tmp_path, "sys.stdout.buffer.write(sys.stdin.buffer.read())", told=told)
    assert len(asked) < 4000
    assert "끝말" in asked
    assert ask(tmp_path, "print('answer')", told=told) == "answer\n"


def test_nothing_of_the_call_stands_in_the_commands_arguments(tmp_path: Path) -> None:
    shown = ask(tmp_path, "sys.stdin.read(); print(ascii(sys.argv), ascii(dict(os.environ)))")
    assert "통장".encode("unicode_escape").decode() not in shown


@pytest.mark.parametrize(
    ("code", "seconds", "reason"),
    [
        ("sys.exit(3)", 30.0, "failed"),
        ("time.sleep(60)", 1.0, "too long"),
        ("os.close(1); time.sleep(60)", 1.0, "too long"),
        ("print('가' * 100_000)", 30.0, "too much"),
        ("if os.fork(): os._exit(0)\ntime.sleep(60)", 1.0, "too long"),
    ],
)
def test_a_model_that_fails_or_is_slow_is_ended_with_all_that_it_started(
    tmp_path: Path, code: str, seconds: float, reason: str
) -> None:
    held = tmp_path / "held"
    holding = f"import fcntl\nfile = open({str(held)!r}, 'w')\nfcntl.flock(file, fcntl.LOCK_EX)\n{code}"
    with pytest.raises(LocalModelError, match=reason) as failed:
        ask(tmp_path, holding, seconds)
    assert "통장" not in str(failed.value)
    with held.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # had only when no process of the model's holds the file any more


@pytest.mark.parametrize("command", ["", "no-such-program-anywhere -m x", "'unclosed"])
def test_a_command_that_cannot_be_run_is_a_usage_error(command: str) -> None:
    with pytest.raises(UsageError):
        LocalModel.parse(command, 1.0)


@pytest.fixture
def warning_release(tmp_path: Path) -> Path:
    """Return a release that warns of nearly everything."""
    trained = small_detector()
    calibration = Calibration(early_slope=1e-3, late_slope=1e-3, offset=3.0)
    export_detector(trained.with_calibration(calibration, Thresholds(0.501, 0.99)), tmp_path / "release")
    return tmp_path / "release"


def detect(release: Path, folder: Path, code: str, capsys: pytest.CaptureFixture[str]) -> tuple[str, str]:
    calls = folder / "calls.jsonl"
    write_calls(calls, [Call("one", Label.VISHING, text=f"{SAID} {MORE}")])
    command = ["detect", "--model", str(release), "--calls", str(calls), "--json"]
    assert main([*command, "--explainer", program(folder, code), "--explainer-seconds", "30"]) == 0
    told = capsys.readouterr()
    return json.loads(told.out)["calls"][0]["judgements"][0]["reason"], told.err


def test_detect_shows_what_the_model_says(
    warning_release: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    says = "sys.stdout.buffer.write('기관을 사칭해 겁을 주는 말투입니다.'.encode())"
    reason, notes = detect(warning_release, tmp_path, says, capsys)
    assert "기관을 사칭해 겁을 주는 말투입니다." in reason
    assert notes == ""


def test_detect_falls_back_to_the_templates_and_says_so(
    warning_release: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reason, notes = detect(
        warning_release, tmp_path, "sys.stdout.buffer.write('MORE'.encode())".replace("MORE", MORE), capsys
    )
    assert "검찰을 내세우" in reason
    assert MORE not in reason
    assert notes == "the language model gave no usable reason for 1 of 1 warnings\n"


def test_detect_names_a_program_that_isnt_there(
    warning_release: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["detect", "--model", str(warning_release), "--calls", "none.jsonl", "--explainer", "no-such-program"]
    assert main(command) == 2
    assert capsys.readouterr().err == "error: there is no program 'no-such-program' to run a language model with\n"
