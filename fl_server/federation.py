"""The round loop: draw, charge, ask, fold, noise, step, judge, save. It runs over any Flower grid."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from flwr.app import Context
from flwr.serverapp import Grid, ServerApp
from numpy.typing import NDArray

from fl_server.acceptance import AcceptanceScore
from fl_server.aggregation import UpdateSum, step_global_model
from fl_server.checkpoint import FederationState, last_round, load_checkpoint, save_checkpoint
from fl_server.collecting import Clock, ask_cohort, fold_replies
from fl_server.ledger import PersonLedger
from fl_server.rounds import FederationPlan, draw_cohort
from fl_server.secure_collecting import SecureCollector, SecureSettings, SecureTotal
from models.domain.round import ReplyFate, RoundReport
from models.errors import UsageError
from models.privacy.randomness import GaussianSource, SeededGaussian, SystemGaussian, seeded_generator
from models.privacy.vectors import Arrays, flatten, unflatten

SERVER = 0
"""The server's place among the devices when generators are derived from a seed."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the round loop is given by whoever runs it.

    Attributes:
        judge: Scores a global model on the server's acceptance set.
        before_saving: Called with each round's report and model before its checkpoint is written.
        publish: Called with each saved round's report; again after a kill, so it must bear repetition.
        clock: Time.
        authority: Public key of the authority that certifies devices for secure rounds; ``None`` without those.
    """

    judge: Callable[[Arrays], AcceptanceScore]
    before_saving: Callable[[RoundReport, Arrays], None]
    publish: Callable[[RoundReport], None]
    clock: Clock
    authority: bytes | None = None


class Federation:
    """One federated run, kept in a folder: checkpoints and the privacy ledger."""

    def __init__(self, plan: FederationPlan, start: Arrays, folder: Path, surroundings: Surroundings) -> None:
        """Prepare a run.

        Args:
            plan: What to do.
            start: The base detector's parameters.
            folder: Where checkpoints and ledger are kept; a run that is there is gone on with.
            surroundings: Judge, publisher and clock.

        Raises:
            UsageError: Secure rounds are planned and nobody certifies devices.
        """
        if plan.task.secure is not None and surroundings.authority is None:
            raise UsageError("secure rounds need the public key of the authority that certifies devices")
        self._plan, self._start, self._folder, self._surroundings = plan, start, folder, surroundings
        self._settings = _fingerprint(plan, start)
        self._ledger = (
            PersonLedger(folder / "ledger.jsonl", plan.person_privacy, self._settings) if plan.person_privacy else None
        )

    def run(self, grid: Grid) -> None:
        """Run the rounds that are left.

        Raises:
            CheckpointError: The folder holds a run with another plan, or a damaged one.
            BudgetSpentError: A round would overspend.
        """
        state = self._resume()
        while state.round_number < self._plan.rounds:
            state = self._run_round(grid, state)

    def rounds_done(self) -> int:
        """Return how many rounds are saved."""
        return last_round(self._folder)

    def model_after(self, round_number: int) -> Arrays:
        """Return the global model as it was after a round; 0 is the base detector."""
        return self._arrays(self._load(round_number).model)

    def _resume(self) -> FederationState:
        state = self._load(last_round(self._folder))
        if state.report is not None:
            self._surroundings.publish(state.report)
        return state

    def _load(self, round_number: int) -> FederationState:
        if round_number == 0:
            model = flatten(self._start)
            return FederationState(0, model, np.zeros_like(model), None)
        return load_checkpoint(self._folder, round_number, self._settings)

    def _run_round(self, grid: Grid, state: FederationState) -> FederationState:
        number, started = state.round_number + 1, self._surroundings.clock.now()
        if self._ledger is not None:
            self._ledger.charge(number, repeatable=self._plan.task.seed is not None)
        cohort = draw_cohort(list(grid.get_node_ids()), self._plan.sampling_rate, self._cohort_generator(number))
        total, fates = self._collect(grid, cohort, state)
        model, smoothed = self._next_model(state, total)
        score = self._surroundings.judge(self._arrays(model))
        report = RoundReport(
            number=number,
            asked=len(cohort),
            fates=fates,
            epsilon=self._ledger.epsilon() if self._ledger else None,
            acceptance_f1=score.f1,
            acceptance_loss=score.loss,
            acceptance_loss_error=score.loss_error,
            seconds=self._surroundings.clock.now() - started,
            aborted=total.aborted if isinstance(total, SecureTotal) else None,
            clipped_share=total.clipped_share if isinstance(total, SecureTotal) else None,
        )
        return self._save(FederationState(number, model, smoothed, report))

    def _collect(
        self, grid: Grid, cohort: list[int], state: FederationState
    ) -> tuple[UpdateSum | SecureTotal, dict[ReplyFate, int]]:
        plan, clock, model = self._plan, self._surroundings.clock, self._arrays(state.model)
        task = plan.task_of(state.round_number + 1)
        if task.secure is not None:
            assert self._surroundings.authority is not None
            settings = SecureSettings(self._surroundings.authority, plan.deadline_seconds, clock)
            return SecureCollector(grid, model, task, settings).collect(cohort)
        total = UpdateSum(self._start, task.clip_norm)
        replies = ask_cohort(grid, cohort, model, task, plan.deadline_seconds, clock)
        return total, fold_replies(replies, len(cohort), total)

    def _next_model(
        self, state: FederationState, total: UpdateSum | SecureTotal
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the next model and smoothed update; below the quorum, or without a sum, both stay as they are."""
        mean = self._mean(total, state.round_number + 1) if total.folded >= self._plan.quorum else None
        if mean is None:
            return state.model, state.smoothed
        return step_global_model(state.model, state.smoothed, mean, self._plan.step)

    def _mean(self, total: UpdateSum | SecureTotal, number: int) -> NDArray[np.float64] | None:
        privacy, simulated = self._plan.person_privacy, self._plan.simulated_cohort
        if isinstance(total, SecureTotal):
            assert privacy is not None
            return total.mean(simulated or privacy.cohort)
        return total.mean() if privacy is None else total.private_mean(privacy, self._noise(number), simulated)

    def _save(self, state: FederationState) -> FederationState:
        assert state.report is not None
        self._surroundings.before_saving(state.report, self._arrays(state.model))
        save_checkpoint(self._folder, state, self._settings)
        self._surroundings.publish(state.report)
        return state

    def _arrays(self, model: NDArray[np.float64]) -> Arrays:
        return unflatten(model, self._start)

    def _cohort_generator(self, round_number: int) -> random.Random:
        if self._plan.task.seed is None:
            return random.SystemRandom()
        return random.Random(f"{self._plan.task.seed} {round_number} cohort")  # noqa: S311  a simulation's

    def _noise(self, round_number: int) -> GaussianSource:
        if self._plan.task.seed is None:
            return SystemGaussian()
        return SeededGaussian(seeded_generator(self._plan.task.seed, round_number, SERVER, "server noise"))


def _fingerprint(plan: FederationPlan, start: Arrays) -> str:
    """Return what tells this run from others: another base detector is another run, as another plan is."""
    digest = hashlib.sha256(plan.digest().encode())
    for name, array in start.items():
        digest.update(f"{name} {array.shape} {array.dtype.str}".encode() + array.tobytes())
    return digest.hexdigest()


def build_server_app(federation: Federation) -> ServerApp:
    """Return the Flower ServerApp that runs a federation."""
    app = ServerApp()

    @app.main()
    def main(grid: Grid, context: Context) -> None:
        federation.run(grid)

    return app
