"""The federated part of a simulation: the real ServerApp and ClientApp over a simulated grid, watched."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from flwr.app import Context, RecordDict
from pydantic import TypeAdapter

from fl_client.ledger import LedgerStore
from fl_server.collecting import Clock
from fl_server.federation import Federation, Surroundings, build_server_app
from fl_server.registry import Registry, append_round
from models.domain.messages import SecureStage
from models.domain.privacy import PrivacyStatement
from models.domain.round import RoundReport
from models.durable_file import write_durably
from models.errors import CheckpointError
from models.privacy.randomness import seeded_generator
from models.privacy.vectors import Arrays
from simulations.devices import ledgers_in
from simulations.enrolment import SimulatedEnrolment
from simulations.field import Field
from simulations.grid import RUN_ID, IsLost, SimulatedGrid
from simulations.report.content import Clipping, RoundOutcome, SpentEpsilon, UpdateNorms
from simulations.settings import RunSettings
from simulations.spending import CallSpending, plan_federation, state_privacy
from simulations.workspace import Workspace

_WATCHED = TypeAdapter(RoundOutcome)


class WatchedFederation:
    """A federation over simulated devices. Kept in a folder, it goes on where it was stopped."""

    def __init__(self, settings: RunSettings, field: Field, workspace: Workspace, registry: Registry) -> None:
        """Prepare the federation.

        Args:
            settings: Of the run.
            field: What the rounds work on.
            workspace: Checkpoints, ledger and the simulator's own records go below its federation folder.
            registry: Each round's report is published there.
        """
        self._plan, self._devices = plan_federation(settings), settings.devices
        self._judge, self._folder = field.judge, workspace.federation
        # A run that goes on after a kill publishes its last round again: the same record twice is one.
        self.enrolment = SimulatedEnrolment()
        surroundings = Surroundings(
            field.judge.accept,
            self._watch,
            lambda report: append_round(registry, report),
            Clock(pause=self._pause),
            authority=self.enrolment.authority,
        )
        self._federation = Federation(self._plan, field.base.parameters, self._folder / "server", surroundings)
        self._ledgers = LedgerStore(ledgers_in(self._folder), at_once=False)
        self._grid: SimulatedGrid | None = None

    def run(self, grid: SimulatedGrid) -> None:
        """Run the rounds that are left; see `Federation.run` for the errors."""
        self._grid = grid
        build_server_app(self._federation)(grid, Context(RUN_ID, 0, {}, RecordDict(), {}))

    def _pause(self, seconds: float) -> None:
        assert self._grid is not None
        self._grid.pause(seconds)

    def rounds_done(self) -> int:
        """Return how many rounds are saved."""
        return self._federation.rounds_done()

    def model_after(self, round_number: int) -> Arrays:
        """Return the global model after a round; 0 is the base detector."""
        return self._federation.model_after(round_number)

    def outcomes(self) -> list[RoundOutcome]:
        """Return the rounds that are done, in order."""
        return [self._watched(number) for number in range(1, self._federation.rounds_done() + 1)]

    def privacy(self) -> list[PrivacyStatement]:
        """Return what the rounds done so far guarantee."""
        done = self._federation.rounds_done()
        return state_privacy(self._plan, done, self._call_spending(done))

    def _call_spending(self, rounds: int) -> CallSpending:
        spent = self._ledgers.call_spending(rounds)
        return {device: spent.get(device, []) for device in range(self._devices)}

    def _watch(self, report: RoundReport, model: Arrays) -> None:
        assert self._grid is not None
        measured = self._judge.measure(model)
        outcome = RoundOutcome(
            report=report,
            kept_apart_f1=measured.f1,
            recall_by_type=measured.recall_by_type,
            spent=tuple(
                SpentEpsilon(statement.unit, statement.against, statement.epsilon)
                for statement in state_privacy(self._plan, report.number, self._call_spending(report.number))
            ),
            norms=self._norms(report.clip_norm),
        )
        write_durably(self._path(report.number), _WATCHED.dump_json(outcome))

    def _norms(self, clip_norm: float | None) -> UpdateNorms | None:
        """Return this round's update norms; the grid forgets them, so that the next round starts clean."""
        assert self._grid is not None
        norms = np.array(self._grid.take_norms(), dtype=np.float64)
        if not norms.size:
            return None
        clipping = Clipping(clip_norm, float((norms > clip_norm).mean())) if clip_norm is not None else None
        return UpdateNorms(float(norms.min()), float(np.median(norms)), float(norms.max()), clipping)

    def _watched(self, round_number: int) -> RoundOutcome:
        path = self._path(round_number)
        try:
            return _WATCHED.validate_json(path.read_bytes())
        except (OSError, ValueError) as error:
            raise CheckpointError(f"{path}: this round's record can't be read; start over without --resume") from error

    def _path(self, round_number: int) -> Path:
        return self._folder / "simulator" / f"round-{round_number:04d}.json"


def drop_out(seed: int, share: float) -> IsLost:
    """Return who drops out: each asked device on its own, in each round anew, with the same probability.

    Of a round under secure aggregation a device is lost at any stage, all alike, and stays lost.
    """
    stages = list(SecureStage)

    def is_lost(group: str, device: int) -> bool:
        number, _, stage = group.partition("/")
        generator = seeded_generator(seed, int(number), device, "dropout")
        lost = bool(generator.random() < share)
        return lost and (not stage or stages.index(SecureStage(stage)) >= int(generator.integers(len(stages))))

    return is_lost
