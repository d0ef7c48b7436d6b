"""What a killed process runs: a federation that dies at one named point of one round."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from fl_server.federation import Federation, RoundPoint
from fl_server.rounds import FederationPlan
from tests.killing import kill_self
from tests.small_federation import Watcher, small_grid, start_parameters


def die_at(folder: Path, plan: FederationPlan, round_number: int, point: RoundPoint) -> None:
    """Run a federation until a point of a round, then kill the process."""
    torch.set_num_threads(1)

    def reached(number: int, at: RoundPoint) -> None:
        if (number, at) == (round_number, point):
            kill_self()

    surroundings = replace(Watcher().surroundings(), reached=reached)
    Federation(plan, start_parameters(), folder, surroundings).run(small_grid())
