"""The server's command line: what it prints, and how it refuses."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import pytest

from fl_server.__main__ import main
from models.domain.privacy import Adversary
from models.privacy.accounting import person_epsilon
from tests.small_federation import PERSON_PRIVACY, PLAN, run_federation, small_grid

PLAN_OPTIONS = ["--rounds", "60", "--cohort", "1000", "--population", "100000", "--adversary", "server"]


def calibrate(*options: str) -> int:
    return main(["calibrate", *PLAN_OPTIONS, *options])


def test_calibrate_prints_one_json_object_with_all_that_its_figures_mean_nothing_without(capsys):
    assert calibrate("--noise-multiplier", "1", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["unit"], found["against"], found["relation"]) == ("person", "server", "zero_out")
    assert (found["sampler"], found["mechanism"], found["participations"]) == ("none", "gaussian", 5)
    pld, rdp = found["calibrations"]
    assert pld["epsilon"] == pytest.approx(12.6, abs=0.05)
    assert rdp["epsilon"] == pytest.approx(13.4, abs=0.05)
    assert pld["noise_on_the_mean"] == 0.001


def test_calibrate_prints_a_table_for_people_on_standard_error(capsys):
    assert calibrate("--epsilon", "2", "--participations", "1") == 0
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "2.231" in printed.err
    assert "no amplification" in " ".join(printed.err.split())


def test_an_order_that_the_accountant_leaves_out_is_no_line_for_people():
    """In a process of its own: pytest would catch what is logged."""
    options = [
        "--rounds",
        "2",
        "--cohort",
        "2",
        "--population",
        "3",
        "--adversary",
        "recipients",
        "--noise-multiplier",
        "1",
        "--json",
    ]
    told = subprocess.run([sys.executable, "-m", "fl_server", "calibrate", *options], capture_output=True, check=True)
    assert told.stderr == b""


def test_a_tiny_epsilon_does_not_read_as_none(capsys):
    assert calibrate("--noise-multiplier", "10000", "--participations", "1", "--json") == 0
    least = min(found["epsilon"] for found in json.loads(capsys.readouterr().out)["calibrations"])
    assert 0 < least < 0.0005
    assert calibrate("--noise-multiplier", "10000", "--participations", "1") == 0
    assert f" {least:.2g} " in capsys.readouterr().err


@pytest.mark.parametrize(
    "options",
    [
        ["--epsilon", "0"],
        ["--epsilon", "2", "--delta", "0"],
        ["--epsilon", "2", "--cohort", "200000"],
        ["--epsilon", "2", "--cohort", "0"],
        ["--epsilon", "2", "--participations", "0"],
        ["--epsilon", "2", "--rounds", "0"],
        ["--noise-multiplier", "1", "--rounds", "0"],
        ["--epsilon", "2", "--cohort", "0", "--population", "0"],
        ["--noise-multiplier", "-1"],
        ["--noise-multiplier", "nan"],
        ["--noise-multiplier", "1e-9"],
        ["--noise-multiplier", "0.049"],
        ["--noise-multiplier", "1e300"],
        ["--epsilon", "1e-300"],
        ["--epsilon", "2", "--delta", "1e-300"],
        ["--noise-multiplier", "1", "--delta", "1e-13"],
        ["--epsilon", "2", "--delta", "nan"],
        ["--epsilon", "2", "--rounds", "1000000000"],
        ["--epsilon", "2", "--population", "1" + "0" * 400],
        ["--noise-multiplier", "1", "--rounds", "10000", "--participations", "10000"],
    ],
)
def test_a_plan_that_is_none_is_a_usage_error_in_one_line(capsys, options):
    assert calibrate(*options) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("error: expected")
    assert printed.err.count("\n") == 1


@pytest.mark.parametrize("given", ["inf", "nan", "-1", "0", "1e-13", "1e-08", "0.049", "1e+10"])
def test_noise_out_of_range_is_refused_with_the_range_that_holds(capsys, given):
    assert calibrate(f"--noise-multiplier={given}") == 2
    told = f"error: expected a noise multiplier of 0.05 to 1e+09, got {float(given)}\n"
    assert capsys.readouterr().err == told


@pytest.mark.parametrize("count", ["rounds", "cohort", "population", "participations"])
@pytest.mark.parametrize("given", ["0", "-5"])
def test_a_count_below_1_is_refused_by_its_name(capsys, count, given):
    assert calibrate("--epsilon", "1", f"--{count}", given) == 2
    assert capsys.readouterr().err == f"error: expected {count} of 1 or more, got {given}\n"


def test_help_and_table_say_that_secure_sums_are_priced_otherwise(capsys):
    with pytest.raises(SystemExit):
        main(["calibrate", "--help"])
    told = capsys.readouterr().out
    assert calibrate("--noise-multiplier", "1") == 0
    for shown in (told, capsys.readouterr().err):
        assert "--privacy secure is priced by the sum's discrete noise and states more" in " ".join(shown.split())


@pytest.mark.parametrize("option", ["--separation", "--tree-rounds"])
def test_an_option_of_trees_without_trees_is_a_usage_error_and_not_passed_over(capsys, option):
    assert calibrate("--noise-multiplier", "1", option, "8") == 2
    told = capsys.readouterr()
    assert told.err == "error: --separation and --tree-rounds are about trees: choose --mechanism ftrl\n"
    assert calibrate("--noise-multiplier", "4", "--mechanism", "ftrl", option, "8") == 0


def test_asking_for_both_ways_at_once_is_a_usage_error(capsys):
    with pytest.raises(SystemExit) as refused:
        calibrate("--epsilon", "2", "--noise-multiplier", "1")
    assert refused.value.code == 2


def test_status_tells_what_each_charge_of_a_run_has_spent(tmp_path, capsys):
    run_federation(tmp_path, PLAN, small_grid())
    assert main(["status", "--run", str(tmp_path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["rounds_done"] == 3
    assert [charge["round"] for charge in found["charges"]] == [1, 2, 3]
    for rounds, charge in enumerate(found["charges"], start=1):
        assert charge["epsilon"] == {
            against.value: person_epsilon(PERSON_PRIVACY, against, rounds) for against in Adversary
        }
        assert (charge["delta"], charge["simulated"], charge["mechanism"]) == (1e-6, False, "gaussian")
    assert main(["status", "--run", str(tmp_path)]) == 0
    assert "3 rounds done" in capsys.readouterr().err


def test_status_shows_two_digits_of_a_tiny_epsilon(tmp_path, capsys):
    privacy = replace(PERSON_PRIVACY, noise_multiplier=5000.0)
    run_federation(tmp_path, replace(PLAN, rounds=1, person_privacy=privacy), small_grid())
    assert main(["status", "--run", str(tmp_path)]) == 0
    shown = capsys.readouterr().err
    for against in Adversary:
        epsilon = person_epsilon(privacy, against, 1)
        assert 0 < epsilon < 0.0005
        assert f" {epsilon:.2g} " in shown


def test_status_of_a_folder_without_a_run_is_bad_input(tmp_path, capsys):
    assert main(["status", "--run", str(tmp_path / "nothing")]) == 3
    assert "no run is kept here" in capsys.readouterr().err


def test_status_of_a_damaged_ledger_is_bad_input(tmp_path, capsys):
    (tmp_path / "ledger.jsonl").write_text("rubbish\n")
    assert main(["status", "--run", str(tmp_path), "--json"]) == 3
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "no privacy ledger that can be read" in printed.err
