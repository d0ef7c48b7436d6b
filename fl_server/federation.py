"""The round loop: draw, charge, ask, fold, noise, step, judge, save. It runs over any Flower grid."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from pathlib import Path

import numpy as np
from flwr.app import Context, Message
from flwr.serverapp import Grid, ServerApp
from numpy.typing import NDArray

from fl_server.acceptance import AcceptanceScore
from fl_server.aggregation import UpdateSum, step_global_model
from fl_server.checkpoint import FederationState, last_round, load_checkpoint, save_checkpoint
from fl_server.collecting import LONGEST_PAUSE, Clock, Replies, Waiting, fold_replies
from fl_server.ledger import PersonLedger
from fl_server.robust_rules import RobustMean
from fl_server.rounds import FederationPlan, choose_cohort, draw_cohort, note_asked
from fl_server.secure_collecting import SecureCollector, SecureSettings, SecureTotal
from fl_server.server_noise import ServerNoise
from models.domain.round import ReplyFate, RoundReport
from models.errors import QuorumError, UsageError
from models.folder_lock import locked_folder
from models.privacy.adaptive_clipping import next_clip_norm
from models.privacy.vectors import Arrays, flatten, unflatten


class RoundPoint(StrEnum):
    """Points of a round, in order. A kill at any of them loses nothing and gives no budget back."""

    CHARGED = "charged"
    DRAWN = "drawn"
    REPLIED = "replied"
    FOLDED = "folded"
    STEPPED = "stepped"
    JUDGED = "judged"
    RECORDED = "recorded"
    SAVED = "saved"
    PUBLISHED = "published"


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the round loop is given by whoever runs it.

    Attributes:
        judge: Scores a global model on the server's acceptance set.
        before_saving: Called with each round's report and model before its checkpoint is written.
        publish: Called with each saved round's report; again after a kill, so it must bear repetition.
        clock: Time.
        reached: Told of each point of each round, and of each reply; for logs, and for tests that kill there.
        authority: Public key of the authority that certifies devices for secure rounds; ``None`` without those.
        paused: Whether the operator lets no round begin now.
    """

    judge: Callable[[Arrays], AcceptanceScore]
    before_saving: Callable[[RoundReport, Arrays], None]
    publish: Callable[[RoundReport], None]
    clock: Clock
    reached: Callable[[int, RoundPoint], None] = lambda _round, _point: None
    authority: bytes | None = None
    paused: Callable[[], bool] = lambda: False


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
        self._noise = ServerNoise(plan, sum(array.size for array in start.values()))
        self._ledger = None
        if plan.person_privacy is not None:
            simulated = plan.simulated is not None
            path = folder / "ledger.jsonl"
            self._ledger = PersonLedger(path, plan.person_privacy, self._settings, simulated=simulated)

    def run(self, grid: Grid) -> None:
        """Run the rounds that are left. Two processes can't run the same folder.

        Raises:
            CheckpointError: The folder holds a run with another plan, or a damaged one.
            LedgerError: The ledger lacks charges of saved rounds.
            BudgetSpentError: A round would overspend.
            QuorumError: Too few devices are there to begin a round; nothing is charged for it.
            FolderInUseError: Another process runs it.
        """
        with locked_folder(self._folder):
            state = self._resume()
            while state.round_number < self._plan.rounds:
                while self._surroundings.paused():
                    self._surroundings.clock.pause(LONGEST_PAUSE)
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
            if self._ledger is not None:
                self._ledger.require_charged(state.round_number, state.report.epsilon or 0.0)
            self._surroundings.publish(state.report)
        return state

    def _load(self, round_number: int) -> FederationState:
        if round_number == 0:
            model = flatten(self._start)
            return FederationState(0, model, np.zeros_like(model), None, self._plan.task.clip_norm)
        return load_checkpoint(self._folder, round_number, self._settings)

    def _run_round(self, grid: Grid, state: FederationState) -> FederationState:
        number, started = state.round_number + 1, self._surroundings.clock.now()
        self._await_devices(grid)
        state = self._charge(state)
        cohort = self._choose_cohort(grid, state)
        self._surroundings.reached(number, RoundPoint.DRAWN)
        total, fates, sent_again = self._collect(grid, cohort, state)
        self._surroundings.reached(number, RoundPoint.FOLDED)
        stepped = self._step(state, total)
        if self._plan.trees is not None:
            stepped = replace(stepped, took_part=note_asked(state.took_part, cohort, number))
        self._surroundings.reached(number, RoundPoint.STEPPED)
        score = self._surroundings.judge(self._arrays(stepped.model))
        masked = total if isinstance(total, SecureTotal) else SecureTotal(total.folded)
        self._surroundings.reached(number, RoundPoint.JUDGED)
        report = RoundReport(
            number=number,
            asked=len(cohort),
            fates=fates,
            epsilon=self._ledger.epsilon() if self._ledger else None,
            acceptance_f1=score.f1,
            acceptance_loss=score.loss,
            acceptance_loss_error=score.loss_error,
            seconds=self._surroundings.clock.now() - started,
            clip_norm=state.clip_norm,
            simulated=self._plan.simulated is not None,
            sent_again=sent_again,
            aborted=masked.aborted,
            clipped_share=masked.clipped_share,
            wrong_shares=masked.wrong_shares,
        )
        return self._save(replace(stepped, round_number=number, report=report), report)

    def _await_devices(self, grid: Grid) -> None:
        """Wait until a quorum of devices is there, as long as patience lasts; before anything is charged."""
        clock = self._surroundings.clock
        give_up = clock.now() + self._plan.patience_seconds
        while (there := len(list(grid.get_node_ids()))) < self._plan.quorum:
            if clock.now() >= give_up:
                raise QuorumError(f"{there} devices are there, a round needs {self._plan.quorum}: try again later")
            clock.pause(LONGEST_PAUSE)

    def _charge(self, state: FederationState) -> FederationState:
        """Pay for the next round; return the state that it starts from, with a new tree where one begins."""
        number = state.round_number + 1
        starts_tree = self._noise.prepare(number, state.tree_rounds)
        if self._ledger is not None:
            self._ledger.charge(number, repeatable=self._plan.task.seed is not None, starts_tree=starts_tree)
        self._surroundings.reached(number, RoundPoint.CHARGED)
        return replace(state, tree_rounds=0) if starts_tree else state

    def _choose_cohort(self, grid: Grid, state: FederationState) -> list[int]:
        number, there = state.round_number + 1, list(grid.get_node_ids())
        generator = self._cohort_generator(number)
        if self._plan.trees is not None:
            return choose_cohort(there, self._plan, number, state.took_part, generator)
        return draw_cohort(there, self._plan.sampling_rate, generator)

    def _collect(
        self, grid: Grid, cohort: list[int], state: FederationState
    ) -> tuple[UpdateSum | RobustMean | SecureTotal, dict[ReplyFate, int], int]:
        plan, number = self._plan, state.round_number + 1
        if plan.task.secure is not None:
            return self._collect_securely(grid, cohort, state)
        size = state.model.size
        total = UpdateSum(size, state.clip_norm) if plan.robust is None else RobustMean(size, plan.robust)
        waiting = Waiting(plan.deadline_seconds, plan.patience_seconds, lambda: total.folded < plan.quorum)
        task = plan.task_of(number, state.clip_norm)
        replies = Replies(grid, cohort, self._arrays(state.model), task, waiting, self._surroundings.clock)
        fates = fold_replies(self._noting(number, replies), len(cohort), total, size, number)
        return total, fates, replies.sent_again

    def _collect_securely(
        self, grid: Grid, cohort: list[int], state: FederationState
    ) -> tuple[SecureTotal, dict[ReplyFate, int], int]:
        surroundings, number = self._surroundings, state.round_number + 1
        assert surroundings.authority is not None
        task = self._plan.task_of(number, state.clip_norm)
        replied = partial(surroundings.reached, number, RoundPoint.REPLIED)
        settings = SecureSettings(surroundings.authority, self._plan.deadline_seconds, surroundings.clock, replied)
        collector = SecureCollector(grid, self._arrays(state.model), task, settings)
        return *collector.collect(cohort), collector.sent_again

    def _noting(self, number: int, replies: Replies) -> Iterator[Message]:
        for reply in replies:
            yield reply
            self._surroundings.reached(number, RoundPoint.REPLIED)

    def _step(self, state: FederationState, total: UpdateSum | RobustMean | SecureTotal) -> FederationState:
        """Return the state with the next model; below the quorum everything stays as it is."""
        plan, number = self._plan, state.round_number + 1
        if total.folded < plan.quorum or (plan.robust is not None and not plan.robust.bears(total.folded)):
            return replace(state, tree_rounds=state.tree_rounds + self._noise.skip())
        if isinstance(total, SecureTotal):
            return self._step_securely(state, total)
        if isinstance(total, RobustMean) or plan.person_privacy is None:
            mean, clip_norm = total.mean(), state.clip_norm
        else:
            mean, clip_norm = self._noise.mean_of(total, number), self._next_clip_norm(total, state)
        model, smoothed = step_global_model(state.model, state.smoothed, mean, plan.step)
        grown = 0 if plan.trees is None else state.tree_rounds + 1
        return replace(state, model=model, smoothed=smoothed, clip_norm=clip_norm, tree_rounds=grown)

    def _step_securely(self, state: FederationState, total: SecureTotal) -> FederationState:
        privacy = self._plan.person_privacy
        assert privacy is not None
        mean = total.mean(self._plan.simulated_cohort or privacy.cohort)
        if mean is None:
            return state
        model, smoothed = step_global_model(state.model, state.smoothed, mean, self._plan.step)
        return replace(state, model=model, smoothed=smoothed)

    def _next_clip_norm(self, total: UpdateSum, state: FederationState) -> float | None:
        privacy = self._plan.person_privacy
        if privacy is None or privacy.adaptive is None or state.clip_norm is None:
            return state.clip_norm
        source = self._noise.source(state.round_number + 1, "clipping noise")
        share = total.noised_unclipped_share(privacy, source, self._plan.simulated_cohort)
        return next_clip_norm(state.clip_norm, share, privacy.adaptive)

    def _save(self, state: FederationState, report: RoundReport) -> FederationState:
        reached, number = self._surroundings.reached, state.round_number
        self._surroundings.before_saving(report, self._arrays(state.model))
        reached(number, RoundPoint.RECORDED)
        save_checkpoint(self._folder, state, self._settings)
        reached(number, RoundPoint.SAVED)
        self._surroundings.publish(report)
        reached(number, RoundPoint.PUBLISHED)
        return state

    def _arrays(self, model: NDArray[np.float64]) -> Arrays:
        return unflatten(model, self._start)

    def _cohort_generator(self, round_number: int) -> random.Random:
        if self._plan.task.seed is None:
            return random.SystemRandom()
        return random.Random(f"{self._plan.task.seed} {round_number} cohort")  # noqa: S311  a simulation's


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
