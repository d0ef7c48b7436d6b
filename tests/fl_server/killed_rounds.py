"""What a killed process runs: a federation that dies at one named point of one round."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from flwr.app import Message

from fl_server.federation import Federation, RoundPoint
from fl_server.rounds import FederationPlan
from models.domain.messages import SecureStage
from simulations.grid import InProcessGrid
from tests.killing import kill_self
from tests.secure_federation import SecureWatcher, lose, secure_app, secure_grid
from tests.small_federation import Watcher, run_federation, small_grid, start_parameters


def die_at(folder: Path, plan: FederationPlan, round_number: int, point: RoundPoint) -> None:
    """Run a federation until a point of a round, then kill the process."""
    torch.set_num_threads(1)

    def reached(number: int, at: RoundPoint) -> None:
        if (number, at) == (round_number, point):
            kill_self()

    surroundings = replace(watcher_of(plan).surroundings(), reached=reached)
    Federation(plan, start_parameters(), folder, surroundings).run(grid_of(plan))


LOST = lose({2: SecureStage.MASKED})


def die_in_stage(folder: Path, plan: FederationPlan, stage: SecureStage) -> None:
    """Run a secure federation until the fifth node's reply of a stage of round 2, then kill the process."""
    torch.set_num_threads(1)

    def kill(reply: Message) -> None:
        if reply.metadata.group_id.startswith("2/"):
            kill_self()

    run_federation(folder, plan, secure_grid(secure_app({(5, stage): kill}), LOST), SecureWatcher())


def grid_of(plan: FederationPlan) -> InProcessGrid:
    """Return the devices that a plan needs."""
    return small_grid() if plan.task.secure is None else secure_grid()


def watcher_of(plan: FederationPlan) -> Watcher:
    """Return what watches a plan's run."""
    return Watcher() if plan.task.secure is None else SecureWatcher()
