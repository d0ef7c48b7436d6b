"""The plan of a federated run, and its rules: pure, without network, disk or clock."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace

from fl_server.aggregation import ServerStep
from fl_server.robust_rules import RobustPlan
from models.domain.privacy import Adversary, Mechanism, PersonPrivacy, SimulatedCounts
from models.domain.training import LocalTask
from models.errors import ExclusiveProtectionsError, UsageError
from models.privacy.accounting import require_countable


@dataclass(frozen=True, slots=True)
class TakenPart:
    """How a device took part so far, as far as the server knows: it counts whom it asked.

    Attributes:
        last_round: The last round that it was asked in.
        rounds: How many rounds it was asked in.
    """

    last_round: int
    rounds: int


TookPart = dict[int, TakenPart]
"""By node id."""


@dataclass(frozen=True, slots=True)
class FederationPlan:
    """Everything that a run's result depends on, besides its devices.

    Attributes:
        rounds: Rounds to run.
        sampling_rate: Probability with which a device is drawn into a round (Poisson sampling).
        quorum: Devices below which no round begins, and replies below which a round changes nothing.
        deadline_seconds: How long a round waits for replies.
        task: What devices do; its round number is set anew each round.
        step: How the mean update moves the global model.
        person_privacy: User-level privacy; ``None`` where persons are not protected.
        simulated: The counts that really run, where the privacy plan stands for more devices.
        patience_seconds: How much longer a round waits while the quorum isn't there, first for devices to come and then
            for replies; at 0 it is skipped.
        robust: A rule against bad devices in the place of the mean; ``None`` for the mean.
    """

    rounds: int
    sampling_rate: float
    quorum: int
    deadline_seconds: float
    task: LocalTask
    step: ServerStep
    person_privacy: PersonPrivacy | None
    simulated: SimulatedCounts | None
    patience_seconds: float = 0.0
    robust: RobustPlan | None = None

    def __post_init__(self) -> None:
        """Refuse a plan that can't be carried out or whose guarantee would be another."""
        if not 0 < self.sampling_rate <= 1:
            raise UsageError(f"expected a sampling rate in (0, 1], got {self.sampling_rate}: is the cohort larger?")
        if (self.person_privacy is None) != (self.task.clip_norm is None):
            raise UsageError("user-level privacy needs clipped updates, and clipping belongs to it")
        if self.person_privacy is not None:
            self._require_as_accounted(self.person_privacy)
            self._require_no_robust_rule()

    def _require_as_accounted(self, privacy: PersonPrivacy) -> None:
        """Refuse what the accountant is not told: its figure would be another mechanism's."""
        for against in Adversary:
            require_countable(privacy, against)
        if self.rounds > privacy.rounds:
            raise UsageError(f"{self.rounds} rounds asked for, {privacy.rounds} accounted for")
        if self.task.clip_norm != privacy.clip_norm:
            raise UsageError(f"devices clip to {self.task.clip_norm}, the noise is for {privacy.clip_norm}")
        if (self.task.secure is None) != (privacy.distributed is None):
            raise UsageError("noise in shares is accounted for where devices add it, and nowhere else")
        if self.task.secure is not None and self.task.secure.quorum != self.quorum:
            raise UsageError(f"quorum {self.quorum}, but devices divide the noise by {self.task.secure.quorum}")
        draws = self.simulated is None and privacy.mechanism is Mechanism.GAUSSIAN
        if draws and self.sampling_rate > privacy.sampling_rate:
            raise UsageError(f"devices are drawn with {self.sampling_rate}, accounted with {privacy.sampling_rate}")

    def _require_no_robust_rule(self) -> None:
        if self.robust is not None:
            raise ExclusiveProtectionsError(
                f"the noise for persons is calibrated to a sum, and {self.robust.rule} is none: one person can move it "
                "further; use robust rules without noise for persons"
            )

    @property
    def simulated_cohort(self) -> int | None:
        """Expected cohort that really runs, where it stands for a larger one."""
        return None if self.simulated is None else self.simulated.cohort

    @property
    def trees(self) -> PersonPrivacy | None:
        """The privacy plan where its noise is a tree's; ``None`` else."""
        privacy = self.person_privacy
        return privacy if privacy is not None and privacy.mechanism is Mechanism.FTRL else None

    def task_of(self, round_number: int, clip_norm: float | None) -> LocalTask:
        """Return what devices do in a round.

        Devices are told how often they may take part, and refuse more. Those of a simulation that stand for many others
        each are not.
        """
        task = replace(self.task, round_number=round_number, clip_norm=clip_norm)
        if self.person_privacy is None or self.simulated is not None:
            return task
        privacy = self.person_privacy
        return replace(task, participations=privacy.participations, separation=privacy.separation)

    def digest(self) -> str:
        """Return a fingerprint by which a resumed run knows that it has the same plan."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()


def draw_cohort(node_ids: Sequence[int], sampling_rate: float, generator: random.Random) -> list[int]:
    """Return the round's cohort: every device is drawn on its own with the same probability.

    Args:
        node_ids: Devices that can be asked.
        sampling_rate: In (0, 1].
        generator: ``random.SystemRandom()`` with people's devices: the accountant relies on a secret draw.
    """
    return [node_id for node_id in sorted(node_ids) if generator.random() < sampling_rate]


def choose_cohort(
    node_ids: Sequence[int], plan: FederationPlan, round_number: int, took_part: TookPart, generator: random.Random
) -> list[int]:
    """Return the round's cohort among devices that came by themselves: DP-FTRL, which relies on no draw.

    Where the plan's devices are real, those that took part as often as agreed, or too short a time ago, are left out:
    the server checks what devices enforce.

    Args:
        node_ids: Devices that are there.
        plan: Its noise is a tree's.
        round_number: Counts from 1.
        took_part: What is known of earlier rounds.
        generator: Chooses where more came than are needed.
    """
    assert plan.person_privacy is not None
    ready = [node_id for node_id in sorted(node_ids) if _is_ready(node_id, plan, round_number, took_part)]
    size = plan.person_privacy.cohort if plan.simulated is None else plan.simulated.cohort
    return sorted(generator.sample(ready, size)) if len(ready) > size else ready


def _is_ready(node_id: int, plan: FederationPlan, round_number: int, took_part: Mapping[int, TakenPart]) -> bool:
    taken, privacy = took_part.get(node_id), plan.person_privacy
    if taken is None or privacy is None or plan.simulated is not None:
        return True
    return taken.rounds < privacy.participations and round_number - taken.last_round >= privacy.separation


def note_asked(took_part: TookPart, cohort: Sequence[int], round_number: int) -> TookPart:
    """Return what is known after a round's cohort was asked."""
    before = TakenPart(0, 0)
    asked = {node_id: TakenPart(round_number, took_part.get(node_id, before).rounds + 1) for node_id in cohort}
    return took_part | asked
