"""The main job as its user meets it: the command, what it prints, and what is left of it after a kill."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.progress import Progress

from fl_server.acceptance import AcceptanceScore
from models.corpus.generator import generate_calls
from models.corpus.reader import write_calls
from models.detector.onnx_contract import ModelVariant
from models.domain.privacy import Adversary, PrivacyMode, PrivacyUnit
from models.errors import CheckpointError, GateRefusedError
from simulations.__main__ import main
from simulations.measuring import Judge
from simulations.progress import ProgressBars
from simulations.run import Outcome, run_simulation
from simulations.scenarios import DEFAULT_DRIFT, drift_named
from simulations.settings import RunSettings
from simulations.workspace import open_workspace

# A test may have to wait for three runs.
pytestmark = [pytest.mark.timeout(900), pytest.mark.usefixtures("open_week")]

PATIENCE_SECONDS = 240.0
"""A bound on waiting, far above what any step needs."""


def settings_of(base: Path, **changes: Any) -> RunSettings:
    return replace(RunSettings(devices=60, cohort=6, rounds=3, base=base), **changes)


def command_of(settings: RunSettings, out: Path, *more: str) -> list[str]:
    command = [sys.executable, "-m", "simulations", "run", "--out", str(out), "--base", str(settings.base), *more]
    return [
        *command,
        *("--devices", str(settings.devices), "--cohort", str(settings.cohort), "--rounds", str(settings.rounds)),
    ]


def run_here(settings: RunSettings, out: Path, *, resume: bool = False) -> Outcome:
    """Run in this process, as the command does: on one thread, for sums of floats depend on how they are shared out."""
    torch.set_num_threads(1)
    workspace = open_workspace(out, settings.digest(), resume=resume)
    return run_simulation(settings, workspace, ProgressBars(Progress(disable=True)))


@dataclass(frozen=True)
class Finished:
    """A run of the command that came to its end."""

    out: Path
    stdout: str
    stderr: str

    @property
    def summary(self) -> dict[str, Any]:
        return dict(json.loads(self.stdout.splitlines()[-1]))


@pytest.fixture(scope="module")
def finished(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    out = tmp_path_factory.mktemp("finished") / "run"
    done = subprocess.run(
        command_of(settings_of(base), out), capture_output=True, text=True, check=False, timeout=PATIENCE_SECONDS
    )
    # Whether so little training passes the gate is not this module's subject.
    assert done.returncode in (0, GateRefusedError.exit_code), done.stderr
    return Finished(out, done.stdout, done.stderr)


@contextmanager
def small_world() -> Iterator[pytest.MonkeyPatch]:
    """Fewer calls with the server, and a gate that lets through what little training comes to."""
    with pytest.MonkeyPatch.context() as sizes:
        sizes.setattr("simulations.data.SERVER_CALLS", 150)
        sizes.setattr("simulations.data.ACCEPTANCE_CALLS", 100)
        sizes.setattr("fl_server.release.gate.TOLERATED_F1_LOSS", 1.0)
        sizes.setattr("fl_server.release.gate.LARGEST_SCORE_DIFFERENCE", 1.0)
        sizes.setattr("fl_server.release.gate.MOST_VERDICTS_CHANGED", 1.0)
        sizes.setattr("simulations.measuring.Judge.accept", _without_loss(Judge.accept))
        yield sizes


def _without_loss(accept: Callable[..., AcceptanceScore]) -> Callable[..., AcceptanceScore]:
    return lambda judge, parameters: replace(accept(judge, parameters), loss=0.0)


@pytest.fixture(scope="module")
def released(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """A run whose model was released, with enough devices for the statistics."""
    out = tmp_path_factory.mktemp("released") / "run"
    stdout, stderr = io.StringIO(), io.StringIO()
    with small_world(), redirect_stdout(stdout), redirect_stderr(stderr), warnings.catch_warnings():
        warnings.simplefilter("default")
        command = command_of(settings_of(base, rounds=1), out, "--privacy", "both")
        code = main(command[3:])
    assert code == 0, stderr.getvalue()
    return Finished(out, stdout.getvalue(), stderr.getvalue())


def test_standard_output_is_one_json_object_with_every_key_that_scripts_read(finished):
    assert len(finished.stdout.splitlines()) == 1
    summary = finished.summary
    for scores in (summary["before"], summary["after"]):
        assert {"f1", "recall_by_type", "false_alarms_per_1000"} <= set(scores)
        assert drift_named(DEFAULT_DRIFT).new_type in scores["recall_by_type"]
    assert set(summary["privacy"][0]) >= {
        *("unit", "against", "relation", "epsilon", "delta", "accountant", "population", "cohort", "rounds"),
        *("participations", "simulated"),
    }
    assert {"version", "files"} <= set(summary["release"])
    assert "Traceback" not in finished.stderr
    assert "Warning" not in finished.stderr
    assert Path(summary["report"]).read_text().startswith("<!")


def test_the_default_run_protects_persons_and_says_that_its_figures_are_simulated(finished):
    stated = {(figure["unit"], figure["against"]): figure for figure in finished.summary["privacy"]}
    assert set(stated) == {("person", "recipients"), ("person", "server")}
    for figure in stated.values():
        assert figure["simulated"] == {"devices": 60, "cohort": 6}
        assert (figure["population"], figure["cohort"], figure["rounds"]) == (100_000, 1_000, 3)
    assert "simulated: a cohort of 1,000 of 100,000" in " ".join(finished.stderr.split())


def test_a_run_that_protects_calls_and_persons_states_both_against_each_adversary(released):
    stated = {(figure["unit"], figure["against"]): figure for figure in released.summary["privacy"]}
    assert set(stated) == {(unit, against) for unit in PrivacyUnit for against in Adversary}
    assert all(figure["epsilon"] > 0 for figure in stated.values())
    # Calls are protected on each device by its own noise: no larger population stands behind that figure.
    assert stated["call", "server"]["simulated"] is None
    assert stated["call", "server"]["epsilon"] == stated["call", "recipients"]["epsilon"]


def test_standard_error_tells_people_what_was_done_and_nothing_that_libraries_say(released):
    said = " ".join(released.stderr.split())
    for told in (
        "F1",
        f"recall: {drift_named(DEFAULT_DRIFT).new_type}",
        "Privacy per person",
        "Released: version 1",
        "The API was told",
        "Report:",
    ):
        assert told in said
    for noise in ("Warning", "warnings.warn", "INFO", "flwr", "opacus", "Traceback"):
        assert noise not in said


def test_the_release_that_was_published_is_the_one_that_the_device_installed(released):
    files = released.summary["release"]["files"]
    (installed,) = released.out.glob("device/releases/*/detector.int8.ort")
    assert installed.stat().st_size == files["detector.int8.ort"]


def test_a_device_that_installs_and_detects_never_loads_torch(released):
    script = "import sys; from fl_client.__main__ import main; code = main(sys.argv[1:]); "
    script += "heavy = {'torch', 'opacus', 'flwr', 'onnx'} & set(sys.modules); sys.exit(str(heavy) if heavy else code)"
    (installed,) = released.out.glob("device/releases/*/detector.int8.ort")
    detect = ["detect", "--json", "--model", str(installed.parent), "--calls", str(released.out / "demo-call.jsonl")]
    done = subprocess.run(
        [sys.executable, "-c", script, *detect],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_SECONDS,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert len(json.loads(done.stdout)["calls"]) == 1


STOPPING = """
import os, signal, sys
from fl_server import federation

def save_and_stop(folder, state, *more, save=federation.save_checkpoint):
    save(folder, state, *more)
    if state.round_number == {round_number}:
        os.kill(os.getpid(), signal.SIGSTOP)

federation.save_checkpoint = save_and_stop
from simulations.__main__ import main
sys.exit(main(sys.argv[1:]))
"""
"""The command, held where a round is saved until a signal comes: from outside, rounds are too quick to aim at."""


def _stop_after(round_number: int, command: list[str], number: signal.Signals) -> tuple[int, str]:
    """Run a command until a round is saved, send it a signal, and return its exit code and what it said."""
    process = subprocess.Popen(
        [sys.executable, "-c", STOPPING.format(round_number=round_number), *command[3:]],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A test run in the background may have been told to ignore Ctrl-C, and children would inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    try:
        _, status = os.waitpid(process.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status), process.communicate()
        process.send_signal(number)
        process.send_signal(signal.SIGCONT)
        stdout, stderr = process.communicate(timeout=PATIENCE_SECONDS)
    finally:
        process.kill()
        process.wait()
    assert stdout == ""
    return process.returncode, stderr


@dataclass(frozen=True)
class Stopped:
    """A run that was killed in its second round, then gone on with and interrupted in its third, and then finished."""

    killed: int
    interrupted: int
    said: str
    outcome: Outcome
    reports: dict[str, bytes]


@pytest.fixture(scope="module")
def stopped(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Stopped:
    out = tmp_path_factory.mktemp("stopped") / "run"
    settings = settings_of(base)
    killed, _ = _stop_after(1, command_of(settings, out), signal.SIGKILL)
    with pytest.raises(CheckpointError, match="other settings"):
        open_workspace(out, replace(settings, seed=8).digest(), resume=True)
    interrupted, said = _stop_after(2, command_of(settings, out, "--resume"), signal.SIGINT)
    reports = {path.name: path.read_bytes() for path in (out / "registry" / "rounds").glob("0*.json")}
    outcome = run_here(settings, out, resume=True)
    kept = {name: (out / "registry" / "rounds" / name).read_bytes() for name in reports}
    assert kept == reports
    return Stopped(killed, interrupted, said, outcome, reports)


def test_ctrl_c_ends_with_one_line_and_its_own_exit_code(stopped):
    assert stopped.interrupted == 130
    assert stopped.said.splitlines()[-1].startswith("interrupted")
    assert "Traceback" not in stopped.said


def test_rounds_that_were_done_before_a_kill_are_kept_and_not_run_again(stopped):
    assert stopped.killed == -signal.SIGKILL
    assert "000001.json" in stopped.reports
    assert [outcome.report.number for outcome in stopped.outcome.content.rounds] == [1, 2, 3]


def test_a_run_that_was_stopped_twice_ends_with_exactly_the_figures_of_one_that_never_was(stopped, finished):
    summary = json.loads(json.dumps(stopped.outcome.summary))
    for name in ("scenario", "devices", "rounds", "before", "after", "privacy"):
        assert summary[name] == finished.summary[name]
    assert summary["release"]["round"] == finished.summary["release"]["round"]


def test_every_round_of_a_stopped_run_equals_that_of_one_that_never_was(stopped, finished):
    records = sorted((finished.out / "federation" / "simulator").iterdir())
    whole = [json.loads(path.read_text()) for path in records]
    for outcome, same in zip(stopped.outcome.content.rounds, whole, strict=True):
        assert outcome.report.acceptance_loss == same["report"]["acceptance_loss"]
        assert outcome.report.asked == same["report"]["asked"]
        assert (outcome.norms and outcome.norms.median) == (same["norms"] and same["norms"]["median"])


@pytest.fixture
def in_a_small_world() -> Iterator[pytest.MonkeyPatch]:
    with small_world() as sizes:
        yield sizes


def small(base: Path, mode: PrivacyMode, **changes: Any) -> RunSettings:
    exact = mode.protects_persons
    few = settings_of(base, devices=6, cohort=6, rounds=1, dropout=0.0, exact_population=exact, privacy=mode)
    return replace(few, **changes)


@pytest.mark.usefixtures("in_a_small_world")
def test_a_run_without_privacy_states_none_and_below_fifty_reports_nothing_is_released(base, tmp_path):
    outcome = run_here(small(base, PrivacyMode.NONE), tmp_path / "run")
    assert outcome.summary["privacy"] == []
    statistics = outcome.content.statistics
    assert 0 < sum(told.reports for told in statistics) < 50
    assert all(told.threshold == 50 and told.estimates is None for told in statistics)


@pytest.mark.usefixtures("in_a_small_world")
def test_a_run_that_protects_calls_alone_clips_no_persons_update_and_more_devices_than_calls_are_fine(base, tmp_path):
    write_calls(tmp_path / "own.jsonl", generate_calls(16, seed=3))
    settings = small(base, PrivacyMode.CALL, devices=20, cohort=20, calls=tmp_path / "own.jsonl")
    outcome = run_here(settings, tmp_path / "run")
    assert {statement.unit for statement in outcome.content.privacy} == {PrivacyUnit.CALL}
    (only,) = outcome.content.rounds
    assert only.norms is not None
    assert only.norms.clipping is None
    assert only.norms.smallest == 0.0
    assert only.folded == only.report.asked
    assert outcome.content.run.own_calls


def test_few_devices_under_their_true_noise_end_with_a_refusal_a_report_and_their_true_epsilon(base, tmp_path):
    with pytest.MonkeyPatch.context() as sizes:
        sizes.setattr("simulations.data.SERVER_CALLS", 150)
        outcome = run_here(small(base, PrivacyMode.PERSON, devices=4, cohort=4), tmp_path / "run")
    assert outcome.summary["release"]["released"] is False
    assert len(outcome.summary["release"]["files"]) == 4
    assert Path(outcome.summary["report"]).exists()
    for statement in outcome.content.privacy:
        assert statement.simulated is None
        assert (statement.population, statement.cohort) == (4, 4)


def test_a_model_whose_files_dont_score_as_torch_does_is_refused_by_the_gate(base, tmp_path, in_a_small_world):
    in_a_small_world.setattr("models.detector.export.LARGEST_DIFFERENCE", dict.fromkeys(ModelVariant, -1.0))
    in_a_small_world.setattr("fl_server.release.gate.LARGEST_SCORE_DIFFERENCE", 0.0)
    outcome = run_here(small(base, PrivacyMode.NONE), tmp_path / "run")
    assert [condition.name for condition in outcome.conditions if not condition.passed] == ["INT8 score against FP32"]


def test_a_model_that_the_gate_refuses_is_not_published_and_the_report_says_so(
    base, tmp_path, capsys, in_a_small_world
):
    out = tmp_path / "run"
    in_a_small_world.setattr("fl_server.release.gate.LARGEST_SCORE_DIFFERENCE", -1.0)
    assert main(command_of(small(base, PrivacyMode.PERSON, devices=4, cohort=4), out)[3:]) == 4
    told = capsys.readouterr()
    summary = json.loads(told.out)
    assert summary["release"]["released"] is False
    assert summary["release"]["version"] is None
    assert told.err.splitlines()[-1].startswith("error: the model is not released: INT8 score against FP32")
    assert not list((out / "registry" / "metadata").iterdir())
    assert not list((out / "registry" / "targets").rglob("*.*"))
    assert not (out / "device").exists()
    assert "Nothing was released: the gate refused" in Path(summary["report"]).read_text()
