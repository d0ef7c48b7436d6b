"""Stands between a task and the training: asks consent, policy and ledger, charges, and only then lets calls out."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fl_client.call_accounting import planned_steps
from fl_client.ledger import IN_MEMORY, DeviceLedger, LedgerStore, Training
from fl_client.policy import SIMULATION, DevicePolicy, require_call_budget, require_obeyable, require_participation
from fl_client.training import LabelledWords
from models.domain.training import CallSteps, LocalTask
from models.errors import BudgetSpentError, ConsentRefusedError


@dataclass(frozen=True, slots=True)
class DeviceFacts:
    """What the guard asks anew for each task.

    Attributes:
        has_consented: Whether the person consents to training now.
        release: Version of the release that the device has; 0 without one.
        now: Seconds since the start of 1970.
    """

    has_consented: Callable[[], bool]
    release: Callable[[], int]
    now: Callable[[], float] = time.time


@dataclass(frozen=True, slots=True)
class Admission:
    """What a task was let in with: the calls that may be trained on, and the steps that were charged for them."""

    calls: Sequence[LabelledWords]
    charged: CallSteps | None

    def require_covered(self, taken: CallSteps | None) -> None:
        """Refuse to answer with more than was paid for.

        Raises:
            BudgetSpentError: Training took other steps than were charged; it must not leave the device.
        """
        paid = self.charged or CallSteps(0.0, 0.0, 0)
        if taken is not None and (
            taken.noise_multiplier < paid.noise_multiplier
            or taken.sampling_rate > paid.sampling_rate
            or taken.steps > paid.steps
        ):
            raise BudgetSpentError(f"training took {taken}, charged was {self.charged}")


class Guard:
    """Admits tasks on one phone, or on all devices of a simulation."""

    def __init__(self, policy: DevicePolicy, store: LedgerStore, facts: DeviceFacts) -> None:
        """Guard with a policy over the ledgers of a store."""
        self._policy, self._store, self._facts = policy, store, facts

    def admit(self, device: int, task: LocalTask, calls: Sequence[LabelledWords], expires: float) -> Admission:
        """Let a task in, and charge it. The charge is in the ledger when this returns.

        Args:
            device: Whose ledger.
            task: What the server asks for.
            calls: Of the device; those that were trained on for their time are left out.
            expires: When the round ends, in seconds since the start of 1970.

        Raises:
            ConsentRefusedError: The person doesn't consent to training.
            TaskRefusedError: The policy forbids the task.
            BudgetSpentError: A budget is spent; with what was spent.
            LedgerError: The ledger can't be read or written.
        """
        self._require_wanted(task, expires)
        with self._store.ledger_of(device).alone() as ledger:
            return self._charge(ledger, task, calls)

    def now(self) -> float:
        """Return the device's time, in seconds since the start of 1970."""
        return self._facts.now()

    def require_open(self, device: int, task: LocalTask, calls: Sequence[LabelledWords], expires: float) -> None:
        """Refuse what `admit` would refuse by now, and charge nothing: where others would count on this device.

        Raises:
            ConsentRefusedError, TaskRefusedError, BudgetSpentError, LedgerError: See `admit`.
        """
        self._require_wanted(task, expires)
        self._weigh(self._store.ledger_of(device), task, calls)

    def _require_wanted(self, task: LocalTask, expires: float) -> None:
        if not self._facts.has_consented():
            raise ConsentRefusedError("there is no consent to training on this device")
        require_obeyable(task, self._policy, self._facts.release(), expires - self._facts.now())

    def _charge(self, ledger: DeviceLedger, task: LocalTask, calls: Sequence[LabelledWords]) -> Admission:
        period, admission = self._weigh(ledger, task, calls)
        spoken = [call for call in admission.calls if len(call.embedded)]
        keys = [call.key for call in spoken] if self._policy.call_budget is not None else []
        ledger.charge(Training(task.release, task.round_number, period, admission.charged), keys)
        return admission

    def _weigh(self, ledger: DeviceLedger, task: LocalTask, calls: Sequence[LabelledWords]) -> tuple[int, Admission]:
        """Return the period, and what may be trained in it with what is to be charged; nothing is charged yet."""
        period = 0
        if self._policy.call_budget is not None:
            period = max(self._policy.call_budget.period_at(self._facts.now()), ledger.last_period())
            calls = self._young_calls(calls, ledger, period)
        self._require_participation(task, ledger, period)
        steps = planned_steps(sum(len(call.embedded) > 0 for call in calls), task)
        self._require_call_budget(steps, ledger, period)
        return period, Admission(calls, steps)

    def _young_calls(
        self, calls: Sequence[LabelledWords], ledger: DeviceLedger, period: int
    ) -> Sequence[LabelledWords]:
        """Return the calls that haven't been trained on in all the periods that they may be."""
        assert self._policy.call_budget is not None
        first, allowed = ledger.first_periods([call.key for call in calls]), self._policy.call_budget.periods
        return [call for call in calls if period - first.get(call.key, period) < allowed]

    def _require_participation(self, task: LocalTask, ledger: DeviceLedger, period: int) -> None:
        limited = not self._policy.simulated or task.participations is not None or task.separation > 1
        if limited:
            in_period = ledger.participations_in(period)
            require_participation(task, self._policy, ledger.rounds(task.release), in_period)

    def _require_call_budget(self, steps: CallSteps | None, ledger: DeviceLedger, period: int) -> None:
        budget = self._policy.call_budget
        if budget is not None:
            lifetime = ledger.steps_since(period - budget.periods + 1)
            require_call_budget(steps, budget, ledger.steps_since(period), lifetime)


def simulation_guard(store: LedgerStore | None = None) -> Guard:
    """Return the guard of simulated devices: nobody's consent is needed, every device has release 0.

    Args:
        store: Where charges are kept; ``None`` keeps them in memory.
    """
    facts = DeviceFacts(has_consented=lambda: True, release=lambda: 0)
    return Guard(SIMULATION, store or LedgerStore(IN_MEMORY, at_once=False), facts)
