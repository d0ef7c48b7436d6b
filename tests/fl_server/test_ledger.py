"""The server's privacy ledger: never less than was spent."""

from __future__ import annotations

import json
import math
import os
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fl_server.ledger import PersonLedger, read_spending
from models.domain.privacy import Adversary
from models.errors import BudgetSpentError, CheckpointError, LedgerError
from models.privacy.accounting import person_epsilon
from tests.small_federation import PERSON_PRIVACY

RUN = "fingerprint of a run"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "ledger.jsonl"


def open_ledger(path, privacy=PERSON_PRIVACY, run=RUN) -> PersonLedger:
    return PersonLedger(path, privacy, run)


def test_a_new_ledger_has_spent_nothing(path):
    assert open_ledger(path).charges == 0
    assert open_ledger(path).epsilon() == 0


def test_what_was_charged_is_still_charged_after_reopening(path):
    open_ledger(path).charge(1, repeatable=False)
    open_ledger(path).charge(2, repeatable=False)
    assert open_ledger(path).charges == 2
    assert open_ledger(path).epsilon() == person_epsilon(PERSON_PRIVACY, Adversary.RECIPIENTS, 2)
    assert open_ledger(path).epsilon(Adversary.SERVER) == person_epsilon(PERSON_PRIVACY, Adversary.SERVER, 2)


def test_a_round_with_fresh_noise_is_charged_again(path):
    ledger = open_ledger(path)
    ledger.charge(1, repeatable=False)
    ledger.charge(1, repeatable=False)
    assert ledger.charges == 2


def test_a_seeded_round_is_charged_once(path):
    ledger = open_ledger(path)
    ledger.charge(1, repeatable=True)
    ledger.charge(1, repeatable=True)
    assert ledger.charges == open_ledger(path).charges == 1


def test_the_round_that_would_overspend_is_refused_and_not_charged(path):
    ledger = open_ledger(path)
    for _ in range(PERSON_PRIVACY.rounds):
        ledger.charge(1, repeatable=False)
    with pytest.raises(BudgetSpentError, match="round 2 refused: 3 of 3"):
        ledger.charge(2, repeatable=False)
    assert open_ledger(path).charges == 3


def test_a_charge_that_cannot_be_written_is_no_charge_and_stops_the_round(path, monkeypatch):
    ledger = open_ledger(path)

    def fail(_handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space"):
        ledger.charge(1, repeatable=False)
    assert ledger.charges == 0


@pytest.mark.parametrize("whole_lines", [0, 1, 2])
def test_a_last_line_torn_at_any_byte_is_dropped_and_the_others_stay(path, whole_lines):
    """Its charge never returned, so its round never ran."""
    ledger = open_ledger(path)
    for number in range(1, whole_lines + 2):
        ledger.charge(number, repeatable=False)
    lines = path.read_bytes().splitlines(keepends=True)
    kept, last = b"".join(lines[:-1]), lines[-1]
    for length in range(len(last)):
        path.write_bytes(kept + last[:length])
        assert open_ledger(path).charges == whole_lines
        assert path.read_bytes() == kept
        open_ledger(path).charge(9, repeatable=False)
        assert open_ledger(path).charges == whole_lines + 1


def test_a_kill_while_a_torn_line_is_mended_loses_no_charge(path, monkeypatch):
    open_ledger(path).charge(1, repeatable=False)
    path.write_bytes(path.read_bytes() + b'{"rou')

    def kill(*_arguments):
        raise KeyboardInterrupt

    for step in ("fsync", "replace"):
        with monkeypatch.context() as killed:
            killed.setattr(os, step, kill)
            with pytest.raises(KeyboardInterrupt):
                open_ledger(path)
    assert open_ledger(path).charges == 1


@pytest.mark.parametrize("line", [b"rubbish", b"{}", b"[]", b"7", b'{"round": null}', b'{"round": 1}', b"\xff", b""])
def test_a_damaged_line_before_the_last_is_an_error_and_never_a_smaller_bill(path, line):
    open_ledger(path).charge(1, repeatable=False)
    path.write_bytes(line + b"\n" + path.read_bytes())
    with pytest.raises(CheckpointError, match="ledger"):
        open_ledger(path)


WHOLE = {
    "round": 1,
    "starts_tree": False,
    "epsilon": {"recipients": 0.5, "server": 1.5},
    "delta": 1e-6,
    "mechanism": "gaussian",
    "simulated": False,
    "settings": RUN,
}
odd = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["recipients", "server", "x"]), inner),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=st.dictionaries(st.sampled_from(sorted(WHOLE)), odd, max_size=3), more=st.binary(max_size=30))
def test_a_ledger_says_what_can_be_printed_or_is_refused_by_both_who_read_it(path, changes, more):
    path.write_bytes(json.dumps(WHOLE | changes).encode() + b"\n" + more)
    for read in (read_spending, open_ledger):
        try:
            found = read(path)
        except CheckpointError:
            continue
        if read is read_spending:
            json.dumps(found, allow_nan=False)
            assert all(row["epsilon"][against] >= 0 for row in found for against in Adversary)


@pytest.mark.parametrize(
    "line",
    [
        WHOLE | {"epsilon": 5},
        WHOLE | {"epsilon": {"recipients": 1.0}},
        WHOLE | {"epsilon": {"recipients": "a", "server": 1.0}},
        WHOLE | {"epsilon": {"recipients": math.nan, "server": 1.0}},
        WHOLE | {"round": math.inf},
        WHOLE | {"round": 0},
        WHOLE | {"round": True},
        WHOLE | {"delta": "d"},
    ],
)
def test_a_charge_whose_values_are_of_another_kind_is_damage(path, line):
    path.write_text(json.dumps(line) + "\n")
    for read in (read_spending, open_ledger):
        with pytest.raises(CheckpointError, match="ledger"):
            read(path)


def test_a_line_that_is_nested_too_deep_is_damage(path):
    path.write_bytes(b"[" * 200_000 + b"\n")
    for read in (read_spending, open_ledger):
        with pytest.raises(CheckpointError, match="ledger"):
            read(path)


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo, lambda path: path.symlink_to("/dev/full")])
def test_a_ledger_that_is_no_file_is_one_clear_line_and_not_waited_for(path, make):
    make(path)
    with pytest.raises(LedgerError, match="can't be read"):
        open_ledger(path)
    with pytest.raises(CheckpointError, match="can be read"):
        read_spending(path)


def test_charges_of_another_run_are_refused_and_not_counted_as_this_ones(path):
    """A charge under other noise would be priced wrongly; a seeded round of another seed would seem paid for."""
    open_ledger(path).charge(1, repeatable=True)
    with pytest.raises(CheckpointError, match="other settings"):
        open_ledger(path, replace(PERSON_PRIVACY, noise_multiplier=9.0), "another fingerprint")
