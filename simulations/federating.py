"""The federated part of a simulation: the real ServerApp and ClientApp over the in-process grid, watched."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from flwr.app import Context, RecordDict
from pydantic import TypeAdapter

from fl_client.app import OWN_ROUND, build_client_app
from fl_client.guard import simulation_guard
from fl_client.ledger import LedgerStore
from fl_server.collecting import Clock
from fl_server.federation import Federation, Surroundings, build_server_app
from fl_server.rounds import FederationPlan
from models.domain.privacy import PrivacyStatement
from models.domain.round import RoundReport
from models.durable_file import write_durably
from models.errors import CheckpointError
from models.privacy.randomness import seeded_generator
from models.privacy.vectors import Arrays
from simulations.grid import RUN_ID, InProcessGrid, IsLost, Wiretap
from simulations.measuring import Judge
from simulations.population import Population
from simulations.report.content import Clipping, RoundOutcome, SpentEpsilon, UpdateNorms
from simulations.spending import CallSpending, state_privacy

_WATCHED = TypeAdapter(RoundOutcome)


@dataclass(frozen=True, slots=True)
class Ears:
    """Who is told while the rounds run: a progress bar after each message, a wiretap of each byte."""

    on_message: Callable[[], None] | None = None
    wiretap: Wiretap | None = None


class WatchedFederation:
    """A federation over simulated devices. Kept in a folder, it goes on where it was stopped."""

    def __init__(
        self,
        plan: FederationPlan,
        start: Arrays,
        judge: Judge,
        folder: Path,
        publish: Callable[[RoundReport], None],
        is_lost: IsLost,
    ) -> None:
        """Prepare the federation; see `Federation` for ``plan``, ``start``, ``folder`` and ``publish``."""
        self._plan, self._judge, self._folder, self._is_lost = plan, judge, folder, is_lost
        surroundings = Surroundings(judge.accept, self._watch, publish, Clock())
        self._federation = Federation(plan, start, folder / "server", surroundings)
        self._grid: InProcessGrid | None = None
        self._ledgers = LedgerStore(folder / "devices.sqlite3", at_once=False)
        self._devices = 0

    def run(self, population: Population, devices: int, ears: Ears) -> None:
        """Run the rounds that are left; see `Federation.run` for the errors."""
        client_app = build_client_app(population.calls_of, simulation_guard(self._ledgers))
        self._grid = InProcessGrid(client_app, devices, self._is_lost, ears.wiretap, ears.on_message)
        self._devices = devices
        build_server_app(self._federation)(self._grid, Context(RUN_ID, 0, {}, RecordDict(), {}))

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
        self._ledgers.save()
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
        """Return this round's update norms, and forget them on the devices so that the next round starts clean."""
        assert self._grid is not None
        states = [self._grid.state_of(node) for node in self._grid.get_node_ids()]
        norms = np.array([state.pop(OWN_ROUND)["norm"] for state in states if OWN_ROUND in state], dtype=np.float64)
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
    """Return who drops out: each asked device on its own, in each round anew, with the same probability."""

    def is_lost(group: str, device: int) -> bool:
        return bool(seeded_generator(seed, int(group), device, "dropout").random() < share)

    return is_lost
