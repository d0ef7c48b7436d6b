"""Benchmarks: rows that scripts can read, each beside its peer, and one clear line where a measurement fails."""

from __future__ import annotations

import json
import math
import subprocess
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.domain.messages import SecureStage
from models.domain.secure_aggregation import ThreatModel
from simulations.__main__ import main
from simulations.bench import devices_beside_pfl, pfl_environment, row, rows, secure_sum
from simulations.bench.private_step import SIZES
from simulations.bench.row import FULL, Row, compare, full_is_asked, median_pair, median_seconds, print_rows
from simulations.bench.rows import BenchError, run_bench
from simulations.bench.secure_sum import PARAMETERS, MeasuredRound

above_zero = st.floats(min_value=1e-9, max_value=1e9)


@given(above_zero, above_zero)
def test_the_ratio_is_the_value_over_the_peers(value, peer_value):
    row = compare("row", "ms", value, "peer", peer_value)
    assert row.ratio == value / peer_value
    assert (row.value, row.peer_value, row.against) == (value, peer_value, "peer")


def test_works_take_turns_and_the_first_turn_counts_for_nobody():
    turns: list[str] = []
    taken = median_seconds([lambda: turns.append("ours"), lambda: turns.append("peer's")], 3)
    assert turns == ["ours", "peer's"] * 3
    assert len(taken) == 2
    assert all(math.isfinite(seconds) and seconds >= 0 for seconds in taken)


def test_of_pairs_that_take_turns_the_one_with_the_median_ratio_counts(monkeypatch):
    """The first pair warms up; the ratios of the other three are 1, 4 and 2."""
    took = iter([(9.0, 1.0), (2.0, 2.0), (4.0, 1.0), (6.0, 3.0)])
    monkeypatch.setattr(row, "_times", lambda *_: next(took))
    assert median_pair(print, print, seconds=0.0, least=3, most=9) == (6.0, 3.0)


def test_pairs_go_on_until_the_time_is_up_or_there_are_enough():
    turns: list[str] = []
    median_pair(lambda: turns.append("ours"), lambda: turns.append("peer's"), seconds=60.0, least=1, most=4)
    assert turns == ["ours", "peer's"] * 5  # one to warm up


@pytest.mark.parametrize("arguments", [[], [FULL]])
def test_the_longer_tables_are_measured_only_where_they_are_asked_for(arguments, tmp_path, monkeypatch):
    commands: list[list[str]] = []
    monkeypatch.setattr(rows, "GROUPS", ("devices",))
    monkeypatch.setattr(rows.subprocess, "run", lambda command, **_: commands.append(command) or _printed("[]"))
    assert main(["bench", "--out", str(tmp_path), *arguments]) == 0
    assert commands[0][-1:] == (arguments or ["simulations.bench.devices"])
    monkeypatch.setattr("sys.argv", ["module", *arguments])
    assert full_is_asked() == bool(arguments)


def _printed(line: str) -> subprocess.CompletedProcess[str]:
    return subprocess.CompletedProcess([], 0, stdout=line, stderr="")


def test_the_rows_of_private_steps_keep_their_names():
    names = [size.name for size in SIZES]
    assert len(set(names)) == 9
    assert {"private_step_b16_t57", "private_step_b64_t107", "private_step_b256_t320"} <= set(names)


def test_rows_are_printed_as_one_line_of_json_that_reads_back(capsys):
    row = Row("row", 1.0, "ms", 0.5, "peer", 2.0)
    print_rows([row])
    (line,) = capsys.readouterr().out.splitlines()
    assert [Row(**values) for values in json.loads(line)] == [row]


def test_a_measurement_that_runs_is_written_with_a_row_for_scripts(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(rows, "GROUPS", ("devices",))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    run_bench(tmp_path / "bench")
    (row,) = json.loads((tmp_path / "bench" / "devices.json").read_text())
    assert set(row) == {"name", "value", "unit", "ratio", "against", "peer_value"}
    assert row["ratio"] == row["value"] / row["peer_value"]
    assert row["unit"] == "devices/s"
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("threat_model", list(ThreatModel))
def test_secure_sums_are_measured_with_a_fifth_of_the_devices_lost_at_every_stage(threat_model):
    played = MeasuredRound(50, threat_model)
    assert [len(played._here(stage)) for stage in SecureStage] == [48, 46, 44, 42, 40]
    small = MeasuredRound(10, ThreatModel.HONEST_BUT_CURIOUS)
    costs = small.play()  # it checks the sum itself
    assert costs.server > 0
    assert max(costs.upload.values()) < 1.5 * 4 * PARAMETERS


def test_secure_sums_are_measured_with_all_losses_at_one_stage_too(monkeypatch):
    lost_at_once = MeasuredRound(50, ThreatModel.ACTIVE, [SecureStage.UNMASK])
    assert [len(lost_at_once._here(stage)) for stage in SecureStage] == [50, 50, 50, 50, 40]
    for name, small in (("PARAMETERS", 64), ("SIZES", (10,)), ("FULL_SIZES", ()), ("DEVICES_AT_ONE_STAGE", 10)):
        monkeypatch.setattr(secure_sum, name, small)
    names = [row.name for row in secure_sum.measure(full=True)]
    for threat_model in ThreatModel:
        model = "_active" if threat_model is ThreatModel.ACTIVE else ""
        alone = [f"_lost_at_{stage.name.lower()}" for stage in secure_sum.stages_of(threat_model)]
        assert {f"secure_sum_10{model}{part}_server_seconds" for part in ("", *alone)} <= set(names)
    assert len(names) == len(set(names)) == 3 * (2 + 4 + 5)
    assert len(secure_sum.measure(full=False)) == 3 * (2 + 2)


def test_a_measurement_that_fails_is_one_line_that_names_it_and_the_others_files_are_kept(
    tmp_path, monkeypatch, capsys
):
    (tmp_path / "devices.json").write_text("[]")
    monkeypatch.setattr(rows, "GROUPS", ("absent",))
    assert main(["bench", "--out", str(tmp_path)]) == BenchError.exit_code
    *_, line = capsys.readouterr().err.splitlines()
    assert line.startswith("error: measuring absent failed: ")
    assert "No module named simulations.bench.absent" in line
    assert [path.name for path in tmp_path.iterdir()] == ["devices.json"]


def test_a_measurement_that_prints_no_rows_fails_in_one_line(tmp_path, monkeypatch, capsys):
    # A module that runs and prints nothing.
    monkeypatch.setattr(rows, "GROUPS", ("row",))
    assert main(["bench", "--out", str(tmp_path)]) == BenchError.exit_code
    *_, line = capsys.readouterr().err.splitlines()
    assert line == "error: measuring row failed: it printed no rows"


def test_where_the_peer_cant_be_installed_the_row_says_so_and_has_our_figure(tmp_path, monkeypatch, capsys):
    @contextmanager
    def our_rounds():
        yield lambda: None

    def refuse(*_, **__):
        raise subprocess.CalledProcessError(1, "pip")

    monkeypatch.setattr(devices_beside_pfl, "_our_rounds", our_rounds)
    monkeypatch.setattr(pfl_environment.subprocess, "run", refuse)
    monkeypatch.setattr(pfl_environment.venv, "create", lambda folder, **_: make_site(folder))
    monkeypatch.setenv(rows.OUT, str(tmp_path))
    (row,) = devices_beside_pfl.measure()
    assert (row.ratio, row.peer_value) == (None, None)
    assert "can't be installed" in row.against
    assert row.value > 0
    assert not (tmp_path / "pfl-venv" / "installed").exists()
    print_rows([row])
    assert json.loads(capsys.readouterr().out)[0]["ratio"] is None


def make_site(folder: Path) -> None:
    (folder / "lib" / "python3.11" / "site-packages").mkdir(parents=True)


def test_a_folder_that_cant_be_written_is_refused_before_anything_is_measured(tmp_path, monkeypatch, capsys):
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(rows, "GROUPS", ("absent",))
    assert main(["bench", "--out", str(tmp_path / "file")]) == 3
    assert "can't be written to" in capsys.readouterr().err
