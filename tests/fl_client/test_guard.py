"""What a person's device obeys: consent, its policy and its budgets, before it trains."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from fl_client.call_accounting import composed_epsilon
from fl_client.guard import Admission, DeviceFacts, Guard, simulation_guard
from fl_client.ledger import IN_MEMORY, LedgerStore
from fl_client.policy import PEOPLE, SECONDS_A_DAY, CallBudget, DevicePolicy
from fl_client.training import LabelledWords
from models.domain.privacy import CallPrivacy
from models.domain.training import CallSteps, LocalTask
from models.errors import BudgetSpentError, ConsentRefusedError, LedgerError, TaskRefusedError, UsageError
from tests.small_federation import TASK

NOISY = CallPrivacy(clip_norm=1.0, noise_multiplier=10.0, batch_calls=4, delta=1e-5)
OBEYABLE = replace(TASK, seed=None, call_privacy=NOISY, release=7, participations=5)
OFTEN = replace(OBEYABLE, participations=None)
BUDGET = CallBudget(period_epsilon=1.0, lifetime_epsilon=1.3, delta=1e-5, periods=2, period_days=10)
FREE = replace(PEOPLE, participations=None, participations_a_period=None)
LATER = 1e9


def calls(*keys: str) -> list[LabelledWords]:
    return [LabelledWords(np.ones((3, 8), np.float32), 1, key) for key in keys]


class Device:
    """A person's device whose clock and consent a test turns."""

    def __init__(self, policy: DevicePolicy = PEOPLE) -> None:
        self.day, self.consents, self.release = 0.0, True, 7
        self.store = LedgerStore(IN_MEMORY)
        facts = DeviceFacts(lambda: self.consents, lambda: self.release, lambda: self.day * SECONDS_A_DAY)
        self.guard = Guard(policy, self.store, facts)

    def admit(self, round_number: int = 1, *keys: str, task: LocalTask = OBEYABLE, expires: float = LATER) -> Admission:
        """Ask to train on calls of these names."""
        asked = replace(task, round_number=round_number)
        return self.guard.admit(0, asked, calls(*(keys or ("a", "b", "c", "d"))), expires)

    def rounds(self) -> list[int]:
        """Return what was charged."""
        return self.store.ledger_of(0).rounds(release=7)


def test_a_task_that_the_person_consented_to_is_admitted_and_charged():
    device = Device()
    admission = device.admit()
    assert [call.key for call in admission.calls] == ["a", "b", "c", "d"]
    assert admission.charged == CallSteps(10.0, 1.0, 1)
    assert device.rounds() == [1]


def test_a_look_refuses_what_would_be_refused_and_charges_nothing():
    device = Device()
    device.guard.require_open(0, replace(OBEYABLE, round_number=1), calls("a"), LATER)
    assert device.rounds() == []
    for number in range(1, 6):
        device.admit(number)
    with pytest.raises(BudgetSpentError, match="5 of 5 participations"):
        device.guard.require_open(0, replace(OBEYABLE, round_number=6), calls("a"), LATER)
    device.consents = False
    with pytest.raises(ConsentRefusedError):
        device.guard.require_open(0, replace(OBEYABLE, round_number=6), calls("a"), LATER)
    assert device.rounds() == [1, 2, 3, 4, 5]


REFUSED = {
    "a seed": {"seed": 7},
    "more work than a phone does": {"epochs": 21},
    "a clip too wide": {"clip_norm": 4.1},
    "no clip": {"clip_norm": None},
    "no noise on the device": {"call_privacy": None},
    "another release": {"release": 6},
}


@pytest.mark.parametrize("change", REFUSED.values(), ids=REFUSED)
def test_a_task_that_the_policy_forbids_is_refused_and_nothing_is_charged(change):
    device = Device()
    with pytest.raises(TaskRefusedError):
        device.admit(task=replace(OBEYABLE, **change))
    assert device.rounds() == []


def test_an_expired_task_is_refused():
    device = Device()
    device.day = 1.0
    with pytest.raises(TaskRefusedError, match="deadline"):
        device.admit(expires=SECONDS_A_DAY)
    device.admit(expires=SECONDS_A_DAY + 1)


def test_without_consent_nothing_is_trained_and_a_withdrawal_holds_from_then_on():
    device = Device()
    device.admit(1)
    device.consents = False
    with pytest.raises(ConsentRefusedError):
        device.admit(2)
    assert device.rounds() == [1]


def test_a_round_is_taken_part_in_once_and_never_after_a_later_one():
    """A server that asks again, whether it forgot or wants a second look, gets nothing."""
    device = Device()
    device.admit(3)
    for round_number in (3, 2):
        with pytest.raises(TaskRefusedError, match="is over"):
            device.admit(round_number)


def test_rounds_that_are_too_close_are_refused():
    device, apart = Device(), replace(OBEYABLE, separation=4)
    device.admit(1, task=apart)
    with pytest.raises(TaskRefusedError, match="less than 4 after 1"):
        device.admit(4, task=apart)
    device.admit(5, task=apart)
    assert device.rounds() == [1, 5]


@pytest.mark.parametrize(("asked_for", "most"), [(2, 2), (None, 5), (99, 5)])
def test_no_more_than_the_agreed_participations_are_given_whatever_the_task_asks_for(asked_for, most):
    device, task = Device(), replace(OBEYABLE, participations=asked_for)
    for round_number in range(1, most + 1):
        device.admit(round_number, task=task)
    with pytest.raises(BudgetSpentError, match=f"{most} of {most} participations"):
        device.admit(most + 1, task=task)


def test_new_releases_give_new_participations_but_no_more_in_a_period():
    device = Device()
    for release in (7, 8):
        device.release = release
        for round_number in range(1, 6):
            device.admit(round_number, task=replace(OBEYABLE, release=release))
    device.release = 9
    with pytest.raises(BudgetSpentError, match="10 of 10 participations a period"):
        device.admit(1, task=replace(OBEYABLE, release=9))
    device.day = 28.0
    device.admit(1, task=replace(OBEYABLE, release=9))


def spend(device: Device, first_round: int, *keys: str) -> int:
    """Train until the device refuses; return how often it did not."""
    for admitted in range(100):
        try:
            device.admit(first_round + admitted, *keys, task=OFTEN)
        except BudgetSpentError:
            return admitted
    raise AssertionError("nothing was ever refused")


def epsilon_of(trainings: int) -> float:
    return composed_epsilon([CallSteps(10.0, 1.0, trainings)], BUDGET.delta)


def test_a_period_spends_its_budget_and_the_training_that_would_overspend_is_refused():
    device = Device(replace(FREE, call_budget=BUDGET))
    admitted = spend(device, 1)
    assert epsilon_of(admitted) <= 1.0 < epsilon_of(admitted + 1)
    assert spend(device, 50) == 0  # spent stays spent


def test_a_lifetimes_budget_holds_over_releases_new_labels_and_periods():
    """The second period may spend what the lifetime has left, which is less than a period's."""
    device = Device(replace(FREE, call_budget=BUDGET))
    first = spend(device, 1)
    device.day, device.release = 10.0, 7
    second = spend(device, 50)
    assert epsilon_of(first + second) <= 1.3 < epsilon_of(first + second + 1)
    assert 0 < second < first


def test_when_old_periods_have_passed_their_charges_no_longer_count():
    device = Device(replace(FREE, call_budget=BUDGET))
    first = spend(device, 1, "a")
    device.day = 20.0
    assert spend(device, 50, "b") == first


def test_a_call_leaves_the_training_set_after_its_periods_and_a_new_label_does_not_bring_it_back():
    device = Device(replace(FREE, call_budget=BUDGET))
    device.admit(1, "old")
    device.day = 10.0
    assert [call.key for call in device.admit(2, "old", "new").calls] == ["old", "new"]
    device.day = 20.0
    relabelled = LabelledWords(np.ones((3, 8), np.float32), 0, "old")
    admission = device.guard.admit(0, replace(OBEYABLE, round_number=3), [relabelled, *calls("new")], LATER)
    assert [call.key for call in admission.calls] == ["new"]


def test_no_call_ever_spends_more_than_its_lifetime_however_long_a_device_takes_part():
    """Each call's own bill: the trainings that it was in, over all of its periods."""
    device, bills = Device(replace(FREE, call_budget=BUDGET)), {key: [] for key in "abcdef"}
    for period in range(6):
        device.day = 10.0 * period
        for number in range(40):
            try:
                admission = device.admit(100 * period + number + 1, *bills, task=OFTEN)
            except BudgetSpentError:
                break
            for call in admission.calls:
                bills[call.key].append(admission.charged)
    assert all(0 < composed_epsilon(bill, BUDGET.delta) <= BUDGET.lifetime_epsilon for bill in bills.values())


def test_a_clock_that_is_set_back_gives_no_budget_back():
    device = Device(replace(FREE, call_budget=BUDGET))
    device.day = 10.0
    spend(device, 1)
    device.day = 0.0
    assert spend(device, 50) == 0


def test_a_refusal_says_what_was_spent_and_has_the_exit_code_of_refusals():
    device = Device(replace(FREE, call_budget=BUDGET))
    admitted = spend(device, 1)
    with pytest.raises(BudgetSpentError, match=f"epsilon {epsilon_of(admitted):.2f} of 1 a call is spent") as refused:
        device.admit(60, task=OFTEN)
    assert refused.value.exit_code == 4


def test_a_simulated_device_obeys_a_seed_and_is_charged_all_the_same():
    store = LedgerStore(IN_MEMORY)
    guard = simulation_guard(store)
    for _ in range(2):  # a killed round is trained again
        guard.admit(0, TASK, calls("a"), expires=0.0)
    assert store.ledger_of(0).rounds(release=0) == [1]


def test_a_simulated_device_that_stands_for_itself_keeps_its_participations_and_its_distance():
    guard, task = simulation_guard(), replace(TASK, participations=2, separation=3)
    for round_number in (1, 4):
        guard.admit(0, replace(task, round_number=round_number), [], expires=0.0)
    with pytest.raises(TaskRefusedError):
        guard.admit(0, replace(task, round_number=6), [], expires=0.0)
    with pytest.raises(BudgetSpentError):
        guard.admit(0, replace(task, round_number=7), [], expires=0.0)
    guard.admit(1, replace(task, round_number=7), [], expires=0.0)


@pytest.mark.parametrize(
    "taken", [CallSteps(0.9, 0.5, 2), CallSteps(1.0, 0.6, 2), CallSteps(1.0, 0.5, 3)], ids=["noise", "rate", "steps"]
)
def test_an_answer_that_took_more_than_was_paid_for_never_leaves(taken):
    with pytest.raises(BudgetSpentError):
        Admission([], CallSteps(1.0, 0.5, 2)).require_covered(taken)
    with pytest.raises(BudgetSpentError):
        Admission([], None).require_covered(taken)


def test_an_answer_that_took_what_was_paid_for_or_less_may_leave():
    admission = Admission([], CallSteps(1.0, 0.5, 2))
    for taken in (CallSteps(1.0, 0.5, 2), CallSteps(1.0, 0.5, 1), None):
        admission.require_covered(taken)


def test_two_processes_cant_both_look_before_either_charges(tmp_path, monkeypatch):
    """Else one round could be trained twice with fresh noise, or two trainings share what is left for one."""
    monkeypatch.setattr("fl_client.ledger.BUSY_SECONDS", 0.0)
    device, other = Device(), Device()
    with LedgerStore(tmp_path / "ledger") as first, LedgerStore(tmp_path / "ledger") as second:
        for one, store in ((device, first), (other, second)):
            one.store = store
            one.guard = Guard(PEOPLE, store, DeviceFacts(lambda: True, lambda: 7, lambda: 0.0))
        with first.ledger_of(0).alone(), pytest.raises(LedgerError, match="locked"):
            other.admit()
        assert device.admit().charged
        with pytest.raises(TaskRefusedError, match="round 1 is over"):
            other.admit()


@pytest.mark.parametrize("delta", [0.0, 1e-300, 1.0, float("nan")])
def test_a_call_budget_has_a_delta_that_accountants_can_tell(delta):
    with pytest.raises(UsageError, match="expected a delta"):
        replace(BUDGET, delta=delta)
