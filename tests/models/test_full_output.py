"""A full or read-only place to write to: one clear line, the exit code of bad input, and nothing half-written left."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fl_client.__main__ import main as device_main
from models.__main__ import main
from models.corpus.reader import write_calls
from models.detector.export import export_detector
from models.detector.runtime import OnnxDetector
from tests.models.detector.small import authored_calls, small_detector
from tests.vectors.make import RELEASE

FULL = Path("/dev/full")


READ_AND_WRITTEN = {
    "counterfactual": ["counterfactual", "CALLS", "CALLS"],
    "evaluate": ["evaluate", "--model", str(RELEASE), "--calls", "CALLS", "--seconds", "10", "--scores", "CALLS"],
    "export": ["export", "--model", "MODEL", "--out", "MODEL"],
    "pseudonymise": ["pseudonymise", "CALLS", "CALLS", "--report", "REPORT"],
}


@contextmanager
def room_for(size: int) -> Iterator[None]:
    """Let no file grow beyond some bytes: what a full disk does to a write, without a disk to fill."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture
def calls(tmp_path: Path) -> Path:
    write_calls(tmp_path / "calls.jsonl", authored_calls(24))
    return tmp_path / "calls.jsonl"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    small_detector().save(tmp_path / "model")
    return tmp_path / "model"


@pytest.mark.parametrize("size", [1000, 40_000, 60_000])
def test_a_disk_that_fills_up_while_exporting(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], size: int
) -> None:
    out = tmp_path / "out"
    with room_for(size):
        code = main(["export", "--model", str(model), "--out", str(out)])
    shown = capsys.readouterr().err
    assert code == 3
    assert shown.count("\n") == 1
    assert shown.startswith(f"error: {out}/detector")
    assert not (out / "detector.json").exists()
    assert not list(out.glob("*.unfinished"))


def content_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_an_export_that_is_killed_leaves_the_earlier_one_as_it_was(model: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    export_detector(small_detector(seed=1), out)
    before = content_of(out)
    killed = (
        "import os, sys; from models import __main__; from models.detector import export;"
        "export._write_dynamic = lambda *_: os.kill(os.getpid(), 9);"
        "__main__.main(sys.argv[1:])"
    )
    command = [sys.executable, "-c", killed, "export", "--dynamic", "--model", str(model), "--out", str(out)]
    assert subprocess.run(command, check=False, timeout=240).returncode == -9
    assert {name: (out / name).read_bytes() for name in before} == before
    OnnxDetector.load(out)


def test_a_disk_that_fills_up_while_a_detector_is_saved(
    calls: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with room_for(1000):
        code = main(["train", "--calls", str(calls), "--out", str(tmp_path / "out"), "--dimensions", "8"])
    assert code == 3
    assert capsys.readouterr().err.splitlines()[-1] == f"error: {tmp_path}/out/embedding.npz: File too large"


def test_a_disk_that_fills_up_while_scores_are_written(
    calls: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scores = tmp_path / "scores.jsonl"
    with room_for(100):
        code = main(["evaluate", "--model", str(RELEASE), "--calls", str(calls), "--scores", str(scores)])
    assert code == 3
    assert capsys.readouterr().err == f"error: {scores}: File too large\n"
    assert not scores.exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write to read-only folders")
def test_a_read_only_folder(calls: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    out.mkdir(mode=0o500)
    for command in (["train", "--calls", str(calls)], ["export", "--model", str(model)]):
        assert main([*command, "--out", str(out)]) == 3
        assert capsys.readouterr().err == f"error: {out}: is read-only\n"


@pytest.mark.skipif(not FULL.exists(), reason="this system has no device that is always full")
@pytest.mark.parametrize(
    "command",
    [
        ["fl_client", "detect", "--model", str(RELEASE), "--json"],
        ["models", "evaluate", "--model", str(RELEASE), "--seconds", "10", "--json"],
    ],
)
def test_a_full_standard_output(calls: Path, command: list[str]) -> None:
    with FULL.open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", *command, "--calls", str(calls)], stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert (done.returncode, done.stderr) == (3, "error: standard output: No space left on device\n")


OUTPUTS = {
    "counterfactual": ["counterfactual", "CALLS", "OUT"],
    "evaluate": ["evaluate", "--model", str(RELEASE), "--calls", "CALLS", "--seconds", "10", "--scores", "OUT"],
    "export": ["export", "--model", "MODEL", "--out", "OUT"],
    "train": ["train", "--calls", "CALLS", "--out", "OUT"],
    "compare": ["compare", "--calls", "CALLS", "--only", "tfidf-logistic-regression", "--out", "OUT"],
    "pseudonymise": ["pseudonymise", "CALLS", "OUT", "--report", "REPORT"],
    "report": ["pseudonymise", "CALLS", "REPORT", "--report", "OUT"],
}


def _fill_in(command: list[str], calls: Path, model: Path, out: Path) -> list[str]:
    names = {"CALLS": calls, "MODEL": model, "OUT": out, "REPORT": calls.parent / "other.json"}
    return [str(names.get(part, part)) for part in command]


@pytest.mark.parametrize("command", READ_AND_WRITTEN.values(), ids=READ_AND_WRITTEN)
def test_what_a_command_reads_is_never_written_over(calls: Path, model: Path, command: list[str]) -> None:
    before = calls.read_bytes(), content_of(model)
    assert main(_fill_in(command, calls, model, calls)) == 2
    assert (calls.read_bytes(), content_of(model)) == before


@pytest.mark.parametrize("command", OUTPUTS.values(), ids=OUTPUTS)
def test_an_output_that_cant_be_made_is_one_line(
    calls: Path, model: Path, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    out = calls / "below-a-file"
    before = sorted(calls.parent.iterdir())
    assert main(_fill_in(command, calls, model, out)) == 3
    shown = [line for line in capsys.readouterr().err.splitlines() if not line.startswith("training on")]
    assert len(shown) == 1
    assert shown[0].startswith(f"error: {calls}")
    assert set(calls.parent.iterdir()) - set(before) <= {calls.with_name("calls.jsonl.pseudonym-key")}


@pytest.mark.skipif(not FULL.exists(), reason="this system has no device that is always full")
@pytest.mark.parametrize("command", OUTPUTS.values(), ids=OUTPUTS)
def test_a_device_that_is_always_full_is_one_line(
    calls: Path, model: Path, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    refused = 4 if "pseudonymise" in command else 3  # what is there is never overwritten
    assert main(_fill_in(command, calls, model, FULL)) == refused
    assert capsys.readouterr().err.splitlines()[-1].startswith(f"error: {FULL}: ")
    assert not (calls.parent / "other.json").exists()


@pytest.mark.skipif(not FULL.exists(), reason="this system has no device that is always full")
@pytest.mark.parametrize("options", [["corpus", "--synthetic", "8", "--json"], ["corpus", "--synthetic", "8"]])
def test_the_corpus_figures_have_no_place_to_go(options: list[str]) -> None:
    name = "standard output" if "--json" in options else "standard error"
    with FULL.open("w") as full:
        streams = {"stdout": full, "stderr": subprocess.PIPE} if "--json" in options else {"stderr": full}
        done = subprocess.run([sys.executable, "-m", "models", *options], text=True, **streams)
    assert done.returncode == 3
    assert done.stderr in (None, f"error: {name}: No space left on device\n")


def test_detect_names_the_file_that_lacks_the_call(calls: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert device_main(["detect", "--model", str(RELEASE), "--calls", str(calls), "--call", "zz"]) == 3
    assert capsys.readouterr().err == f"error: {calls}: there is no call 'zz' in the file\n"


def test_evaluate_says_which_calls_are_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_calls(tmp_path / "normal.jsonl", [call for call in authored_calls(24) if not call.label])
    assert main(["train", "--calls", str(tmp_path / "normal.jsonl"), "--out", str(tmp_path / "out")]) == 3
    assert "no vishing call" in capsys.readouterr().err
