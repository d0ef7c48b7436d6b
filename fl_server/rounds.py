"""The plan of a federated run, and its rules: pure, without network, disk or clock."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

from fl_server.aggregation import ServerStep
from models.domain.privacy import PersonPrivacy, SimulatedCounts
from models.domain.training import LocalTask
from models.errors import UsageError


@dataclass(frozen=True, slots=True)
class FederationPlan:
    """Everything that a run's result depends on, besides its devices.

    Attributes:
        rounds: Rounds to run.
        sampling_rate: Probability with which a device is drawn into a round (Poisson sampling).
        quorum: Replies below which a round changes nothing.
        deadline_seconds: How long a round waits for replies.
        task: What devices do; its round number is set anew each round.
        step: How the mean update moves the global model.
        person_privacy: User-level privacy; ``None`` where persons are not protected.
        simulated: The counts that really run, where the privacy plan stands for more devices.
    """

    rounds: int
    sampling_rate: float
    quorum: int
    deadline_seconds: float
    task: LocalTask
    step: ServerStep
    person_privacy: PersonPrivacy | None
    simulated: SimulatedCounts | None

    def __post_init__(self) -> None:
        """Refuse a plan that can't be carried out or whose guarantee would be another."""
        if not 0 < self.sampling_rate <= 1:
            raise UsageError(f"expected a sampling rate in (0, 1], got {self.sampling_rate}: is the cohort larger?")
        if (self.person_privacy is None) != (self.task.clip_norm is None):
            raise UsageError("user-level privacy needs clipped updates, and clipping belongs to it")
        if self.person_privacy is not None:
            self._require_as_accounted(self.person_privacy)

    def _require_as_accounted(self, privacy: PersonPrivacy) -> None:
        """Refuse what the accountant is not told: its figure would be another mechanism's."""
        if self.rounds > privacy.rounds:
            raise UsageError(f"{self.rounds} rounds asked for, {privacy.rounds} accounted for")
        if self.task.clip_norm != privacy.clip_norm:
            raise UsageError(f"devices clip to {self.task.clip_norm}, the noise is for {privacy.clip_norm}")
        if (self.task.secure is None) != (privacy.distributed is None):
            raise UsageError("noise in shares is accounted for where devices add it, and nowhere else")
        if self.task.secure is not None and self.task.secure.quorum != self.quorum:
            raise UsageError(f"quorum {self.quorum}, but devices divide the noise by {self.task.secure.quorum}")
        if self.simulated is None and self.sampling_rate > privacy.sampling_rate:
            raise UsageError(f"devices are drawn with {self.sampling_rate}, accounted with {privacy.sampling_rate}")

    @property
    def simulated_cohort(self) -> int | None:
        """Expected cohort that really runs, where it stands for a larger one."""
        return None if self.simulated is None else self.simulated.cohort

    def task_of(self, round_number: int) -> LocalTask:
        """Return what devices do in a round."""
        return replace(self.task, round_number=round_number)

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
