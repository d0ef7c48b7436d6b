"""The device's ledger: charged before a training runs, and never less than was trained."""

from __future__ import annotations

import sqlite3
from dataclasses import replace

import numpy as np
import pytest
from opacus.accountants import PRVAccountant, RDPAccountant

from fl_client.call_accounting import composed_epsilon, planned_steps
from fl_client.ledger import IN_MEMORY, LedgerStore, Training
from fl_client.policy import CallBudget, DevicePolicy
from models.domain.training import CallSteps
from models.errors import LedgerError
from tests.fl_client.killed_trainings import die_in_training
from tests.killing import exit_code_of
from tests.small_federation import CALL_PRIVACY, TASK

STEPS = CallSteps(1.0, 0.5, 2)
BUDGET = CallBudget(period_epsilon=50.0, lifetime_epsilon=50.0, delta=1e-5, periods=3, period_days=28)
ROOMY = DevicePolicy(False, None, False, None, None, BUDGET)
TASKS = [replace(TASK, seed=None, call_privacy=CALL_PRIVACY, round_number=number) for number in (1, 2, 3)]


def training(round_number: int, release: int = 0, period: int = 0, steps: CallSteps | None = STEPS) -> Training:
    return Training(release, round_number, period, steps)


def test_what_was_charged_is_still_charged_after_reopening(tmp_path):
    with LedgerStore(tmp_path / "ledger.sqlite3") as store:
        store.ledger_of(0).charge(training(1), ["a"])
        store.ledger_of(0).charge(training(2, period=1), ["a", "b"])
    with LedgerStore(tmp_path / "ledger.sqlite3") as store:
        ledger = store.ledger_of(0)
        assert ledger.rounds(release=0) == [1, 2]
        assert ledger.steps_since(0) == [CallSteps(1.0, 0.5, 4)]
        assert ledger.steps_since(1) == [STEPS]
        assert ledger.first_periods(["a", "b", "c"]) == {"a": 0, "b": 1}
        assert (ledger.last_period(), ledger.participations_in(1)) == (1, 1)


def test_a_charge_is_on_the_disk_when_it_returns(tmp_path):
    """Another connection sees it at once: nothing waits for the process to end."""
    LedgerStore(tmp_path / "ledger.sqlite3").ledger_of(0).charge(training(1), [])
    assert LedgerStore(tmp_path / "ledger.sqlite3").ledger_of(0).rounds(release=0) == [1]


def test_the_store_of_people_is_synced_at_every_charge(tmp_path):
    store = LedgerStore(tmp_path / "ledger.sqlite3")
    full = 2
    assert store._connection.execute("PRAGMA synchronous").fetchone() == (full,)


def test_a_simulations_store_holds_many_devices_and_outlives_its_process(tmp_path):
    path = tmp_path / "devices.sqlite3"
    store = LedgerStore(path, at_once=False)
    for device in range(3):
        store.ledger_of(device).charge(training(1), [])
    assert LedgerStore(path).call_spending(1) == {device: [STEPS] for device in range(3)}


def test_devices_and_runs_are_kept_apart():
    store = LedgerStore(IN_MEMORY)
    store.ledger_of(0).charge(training(5, release=1), ["a"])
    assert store.ledger_of(1).rounds(release=1) == []
    assert store.ledger_of(0).rounds(release=2) == []
    assert store.ledger_of(1).first_periods(["a"]) == {}


def test_the_same_round_is_one_charge():
    ledger = LedgerStore(IN_MEMORY).ledger_of(0)
    ledger.charge(training(1), [])
    ledger.charge(training(1, steps=CallSteps(1.0, 0.5, 99)), [])
    assert ledger.steps_since(0) == [STEPS]


def test_charges_of_several_runs_add_up():
    ledger = LedgerStore(IN_MEMORY).ledger_of(0)
    for release in range(3):
        ledger.charge(training(1, release=release), [])
    assert ledger.steps_since(0) == [CallSteps(1.0, 0.5, 6)]


def test_a_damaged_ledger_is_an_error_and_never_a_new_one(tmp_path):
    path = tmp_path / "ledger.sqlite3"
    path.write_bytes(b"rubbish" * 1_000)
    with pytest.raises(LedgerError, match="ledger"):
        LedgerStore(path)
    assert path.read_bytes() == b"rubbish" * 1_000


def test_a_charge_that_can_not_be_written_is_an_error(tmp_path):
    store = LedgerStore(tmp_path / "ledger.sqlite3")
    other = sqlite3.connect(tmp_path / "ledger.sqlite3")
    other.execute("DROP TABLE calls")
    other.commit()
    with pytest.raises(LedgerError, match="can't be written"):
        store.ledger_of(0).charge(training(1), ["a"])
    assert LedgerStore(tmp_path / "ledger.sqlite3").ledger_of(0).rounds(release=0) == []  # all or nothing


@pytest.mark.parametrize(
    "read",
    [
        lambda store: store.ledger_of(0).rounds(0),
        lambda store: store.ledger_of(0).last_period(),
        lambda store: store.ledger_of(0).participations_in(0),
        lambda store: store.ledger_of(0).steps_since(0),
        lambda store: store.ledger_of(0).first_periods(["a"]),
        lambda store: store.call_spending(1),
    ],
    ids=["rounds", "last period", "participations", "steps", "first periods", "spending"],
)
def test_a_ledger_that_can_not_be_read_is_an_error_of_ours(tmp_path, read):
    store = LedgerStore(tmp_path / "ledger.sqlite3")
    other = sqlite3.connect(tmp_path / "ledger.sqlite3")
    other.executescript("DROP TABLE calls; DROP TABLE trainings;")
    with pytest.raises(LedgerError, match="can't be read"):
        read(store)


@pytest.mark.parametrize(("point", "charged"), [("before", 2), ("training", 3)])
def test_a_device_that_is_killed_is_never_charged_less_than_it_trained(tmp_path, point, charged):
    ledger, began = tmp_path / "ledger.sqlite3", tmp_path / "began"
    assert exit_code_of(die_in_training, ledger, began, ROOMY, TASKS, point) == -9
    found = LedgerStore(ledger).ledger_of(0)
    assert len(found.rounds(release=0)) == charged >= len(began.read_text().split())
    assert found.steps_since(0) == [CallSteps(1.0, 1.0, charged)]  # 4 calls in batches of 4: one step an epoch


def test_the_epsilon_that_budgets_are_held_against_is_never_below_the_one_that_is_stated():
    for history in ([STEPS], [CallSteps(1.0, 0.25, 12), CallSteps(1.5, 1.0, 3)]):
        tight, same = PRVAccountant(), RDPAccountant()
        tight.history = same.history = [(each.noise_multiplier, each.sampling_rate, each.steps) for each in history]
        assert composed_epsilon(history, 1e-5) == pytest.approx(same.get_epsilon(1e-5), rel=1e-6)
        with np.errstate(divide="ignore"):  # at the ends of its grid
            assert composed_epsilon(history, 1e-5) > tight.get_epsilon(1e-5)


def test_nothing_taken_costs_nothing():
    assert composed_epsilon([], 1e-5) == 0.0


@pytest.mark.parametrize(
    ("calls", "rate", "steps"), [(0, None, None), (1, 1.0, 1), (4, 1.0, 1), (5, 0.5, 2), (9, 1 / 3, 3)]
)
def test_steps_are_planned_as_opacus_takes_them(calls, rate, steps):
    planned = planned_steps(calls, replace(TASK, call_privacy=CALL_PRIVACY))
    assert planned == (None if rate is None else CallSteps(CALL_PRIVACY.noise_multiplier, rate, steps))
