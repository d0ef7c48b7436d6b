"""The command line of the simulations: bad input gets one clear line and its exit code, and costs nobody a run."""

from __future__ import annotations

import json
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from models.corpus.generator import generate_calls
from models.corpus.reader import write_calls
from models.domain.privacy import ClippingRule, PrivacyMode
from models.domain.secure_aggregation import ThreatModel
from simulations.__main__ import main
from simulations.workspace import open_workspace

GOOD = {"id": "1", "label": 0, "text": "여보세요 나야"}

BAD_FILES: dict[str, tuple[bytes, str]] = {
    "empty transcript": (json.dumps({**GOOD, "text": " "}).encode(), "line 1: the transcript is empty"),
    "no Hangul": (json.dumps({**GOOD, "text": "hello"}).encode(), "line 1: the transcript has no Hangul"),
    "broken UTF-8": (json.dumps(GOOD).encode() + b'\n{"id": "\xff"}', "line 2: is not UTF-8"),
    "label 2": (json.dumps({**GOOD, "label": 2}).encode(), "line 1: the label is neither 0 (normal) nor 1 (vishing)"),
    "no JSON": (b"{", "line 1: is not JSON"),
    "twice the same id": (b"\n".join([json.dumps(GOOD).encode()] * 2), "line 2: the id was used before, on line 1"),
    "nothing": (b"", "there is no call in the file"),
    "one call": (json.dumps(GOOD).encode(), "no vishing call"),
}


@pytest.fixture
def earlier(tmp_path: Path) -> Path:
    """A folder with a finished run, whose report its owner wants to keep."""
    out = tmp_path / "out"
    workspace = open_workspace(out, "earlier", resume=False)
    workspace.begin()
    workspace.report.write_text("worth keeping")
    workspace.finish()
    return out


UNMASKED = [mode.value for mode in PrivacyMode if mode is not PrivacyMode.SECURE]
NOT_OF_PERSONS = [mode.value for mode in PrivacyMode if not mode.protects_persons]

Refused = Callable[..., tuple[int, str]]


@pytest.fixture
def refused(earlier: Path, capsys: pytest.CaptureFixture[str]) -> Refused:
    """Run a command that is bound to fail; give exit code and error line, and see that nothing was lost or leaked."""

    def run(*arguments: str) -> tuple[int, str]:
        code = main(["run", "--out", str(earlier), *arguments])
        told = capsys.readouterr()
        *steps, line = told.err.splitlines()
        assert told.out == ""
        assert set(steps) <= {"Gathering calls"}
        assert line.startswith("error: ")
        assert "Traceback" not in told.err
        assert "여보세요" not in told.err
        assert (earlier / "report.html").read_text() == "worth keeping"
        return code, line

    return run


@pytest.mark.parametrize("what", BAD_FILES)
def test_a_bad_call_file_is_refused_with_its_name_line_and_reason(what, tmp_path, refused):
    content, reason = BAD_FILES[what]
    (tmp_path / "own.jsonl").write_bytes(content)
    code, line = refused("--calls", str(tmp_path / "own.jsonl"))
    assert code == 3
    assert "own.jsonl" in line
    assert reason in line


def test_a_call_file_that_is_missing_or_a_folder_is_refused(tmp_path, refused):
    assert refused("--calls", str(tmp_path / "none.jsonl")) == (
        3,
        f"error: {tmp_path}/none.jsonl: can't be read: No such file or directory",
    )
    assert refused("--calls", str(tmp_path))[0] == 3


def test_a_base_detector_that_is_missing_is_refused(tmp_path, refused):
    code, line = refused("--base", str(tmp_path / "none"))
    assert code == 3
    assert f"{tmp_path}/none" in line


@pytest.mark.parametrize(
    "arguments",
    [
        ["--devices", "10", "--cohort", "11"],
        ["--devices", "0"],
        ["--rounds", "0"],
        ["--seed", "99999999999999999999"],
        ["--dropout", "1"],
        ["--scenario", "new-weather"],
        ["--privacy", "secure", "--cohort", "5"],
        ["--rounds", "20000"],
        ["--exact-population", "--devices", "20", "--cohort", "20", "--rounds", "9999"],
    ],
    ids=" ".join,
)
def test_settings_that_make_no_run_are_a_usage_error(arguments, refused):
    assert refused(*arguments)[0] == 2


PERSONS = "--privacy person, both or secure"
PASSED_OVER = [
    *(
        (["--privacy", mode], ["--threat-model", model], "--privacy secure")
        for model in ThreatModel
        for mode in UNMASKED
    ),
    *(
        (["--privacy", mode], ["--mechanism", made], PERSONS)
        for made in ("gaussian", "ftrl")
        for mode in NOT_OF_PERSONS
    ),
    *((["--privacy", mode], ["--clipping", rule], PERSONS) for rule in ClippingRule for mode in NOT_OF_PERSONS),
    *((["--privacy", mode], ["--exact-population"], PERSONS) for mode in NOT_OF_PERSONS),
    (["--engine", "ray"], ["--workers", "1"], "--engine local"),
]


@pytest.mark.parametrize(("choice", "option", "about"), PASSED_OVER, ids=str)
def test_an_option_that_a_run_would_pass_over_is_a_usage_error(choice, option, about, refused):
    code, line = refused(*choice, *option)
    assert (code, line) == (2, f"error: {option[0]} is about {about}, not {choice[1]}")


def test_a_folder_that_cant_be_made_is_refused(earlier, refused):
    code, line = refused("--out", str(earlier / "report.html" / "below"))
    assert code == 3
    assert "can't be written to: Not a directory" in line


def test_a_folder_with_somebody_elses_files_is_refused(tmp_path, refused):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    assert refused("--out", str(tmp_path / "mine"))[0] == 3
    assert (tmp_path / "mine" / "notes.txt").read_text() == "mine"


@contextmanager
def no_file_larger_than(size: int) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_disk_that_takes_no_more_stops_the_run_in_one_line_and_it_can_be_gone_on_with(tmp_path, base, capsys):
    out = tmp_path / "out"
    command = ["run", "--devices", "4", "--cohort", "2", "--rounds", "1", "--dropout", "0"]
    command += ["--base", str(base), "--out", str(out)]
    with no_file_larger_than(200_000):
        assert main(command) == 3
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.splitlines()[-1] == f"error: {out}: can't be written to: File too large"
    assert json.loads((out / "run.json").read_text())["finished"] is False


def test_a_command_that_isnt_there_is_a_usage_error(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["dance"])
    assert ended.value.code == 2
    assert "dance" in capsys.readouterr().err


def test_the_help_names_every_scenario(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    with pytest.raises(SystemExit):
        main(["run", "--help"])
    said = " ".join(capsys.readouterr().out.split())
    for name in ("new-messenger", "new-app", "new-ars", "new-agency", "new-loan"):
        assert name in said


def test_a_call_file_is_read_before_an_earlier_run_makes_room(tmp_path, earlier, capsys):
    write_calls(tmp_path / "own.jsonl", generate_calls(20, seed=1, vishing_share=1.0))
    assert main(["run", "--out", str(earlier), "--calls", str(tmp_path / "own.jsonl")]) == 3
    assert (earlier / "report.html").exists()
