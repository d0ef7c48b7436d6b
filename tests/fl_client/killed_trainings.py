"""What a killed process runs: trainings of one device, dying at a point of one of them."""

from __future__ import annotations

from pathlib import Path

from fl_client.guard import DeviceFacts, Guard
from fl_client.ledger import LedgerStore
from fl_client.policy import DevicePolicy
from models.domain.training import LocalTask
from tests.killing import kill_self
from tests.small_federation import some_calls


def die_in_training(ledger: Path, began: Path, policy: DevicePolicy, tasks: list[LocalTask], point: str) -> None:
    """Admit task after task and note each training that begins; die in the last, before or after it was admitted."""
    facts = DeviceFacts(has_consented=lambda: True, release=lambda: 0, now=lambda: 0.0)
    guard = Guard(policy, LedgerStore(ledger), facts)
    for task in tasks:
        if task is tasks[-1] and point == "before":
            kill_self()
        guard.admit(0, task, some_calls(4), expires=1.0)
        with began.open("a") as file:
            file.write(f"{task.round_number}\n")
        if task is tasks[-1] and point == "training":
            kill_self()
