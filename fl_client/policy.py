"""What a device obeys, whatever the server's task says. The rules are pure: facts and figures are passed in."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from fl_client.call_accounting import composed_epsilon
from models.domain.privacy import require_delta, show_epsilon
from models.domain.secure_aggregation import ThreatModel
from models.domain.training import CallSteps, LocalTask
from models.errors import BudgetSpentError, TaskRefusedError

SECONDS_A_DAY = 86_400


@dataclass(frozen=True, slots=True)
class CallBudget:
    """What training may spend on one call.

    A call is trained on in ``periods`` periods, from its first one on, then leaves the training set. Every training is
    composed as if each call were in it, so any call's lifetime lies within a stretch of so many periods, and each
    stretch is held below ``lifetime_epsilon``.

    Attributes:
        period_epsilon: In one period; spreads what a lifetime allows.
        lifetime_epsilon: In all of a call's periods. This is what is stated.
        delta: Of both.
        periods: The most that a call is trained on in.
        period_days: How long a period is.
    """

    period_epsilon: float
    lifetime_epsilon: float
    delta: float
    periods: int
    period_days: int

    def __post_init__(self) -> None:
        """Refuse a delta out of range."""
        require_delta(self.delta)

    def period_at(self, seconds: float) -> int:
        """Return the period of a time, which counts in seconds since the start of 1970."""
        return int(seconds // (self.period_days * SECONDS_A_DAY))


@dataclass(frozen=True, slots=True)
class DevicePolicy:
    """What a device insists on.

    Attributes:
        simulated: A device of nobody: seeds are obeyed, a round may be trained again, and messages don't expire.
        largest_clip_norm: Widest clip of an update that is obeyed; ``None`` obeys any, and none.
        noised_on_device: The person was told that changes are noised when they leave: without that nothing is trained.
        participations: The most rounds of one run; a task may ask for fewer and never for more. ``None`` leaves it to
            the task.
        participations_a_period: The most rounds in a period, in all runs together; ``None`` without a limit.
        call_budget: Of DP-SGD; ``None`` charges, and refuses nothing.
        least_noise_multiplier: Noise on a secure round's sum, over the clip, below which nothing is masked; ``None``
            obeys any.
        threat_model: The one that secure rounds must be under; ``None`` obeys any. A server that could choose would
            ask to be believed.
        most_epochs: Passes over the calls in one training; ``None`` obeys any number. No guarantee needs it: an update
            is clipped however it came about, and DP-SGD's steps are charged. A phone's battery does.
    """

    simulated: bool
    largest_clip_norm: float | None
    noised_on_device: bool
    participations: int | None
    participations_a_period: int | None
    call_budget: CallBudget | None
    least_noise_multiplier: float | None = None
    threat_model: ThreatModel | None = None
    most_epochs: int | None = None


CALL_BUDGET = CallBudget(period_epsilon=4.0, lifetime_epsilon=8.0, delta=1e-5, periods=3, period_days=28)

LARGEST_CLIP_NORM, LEAST_NOISE_MULTIPLIER, PARTICIPATIONS_A_RUN, PARTICIPATIONS_A_PERIOD = 4.0, 1.0, 5, 10
MOST_EPOCHS = 20

PEOPLE = DevicePolicy(
    simulated=False,
    largest_clip_norm=LARGEST_CLIP_NORM,
    noised_on_device=True,
    least_noise_multiplier=LEAST_NOISE_MULTIPLIER,
    threat_model=ThreatModel.ACTIVE,
    participations=PARTICIPATIONS_A_RUN,
    participations_a_period=PARTICIPATIONS_A_PERIOD,
    call_budget=CALL_BUDGET,
    most_epochs=MOST_EPOCHS,
)
"""The policy of a person's device."""

SIMULATION = DevicePolicy(
    simulated=True,
    largest_clip_norm=None,
    noised_on_device=False,
    participations=None,
    participations_a_period=None,
    call_budget=None,
)
"""The policy of a simulated device: everything is charged, and only what the task itself limits is refused."""


def require_obeyable(task: LocalTask, policy: DevicePolicy, release: int, seconds_left: float) -> None:
    """Refuse a task that the device's policy forbids, before anything is looked up or charged.

    Args:
        task: What the server asks for.
        policy: The device's.
        release: Version of the release that the device has.
        seconds_left: Until the round's deadline.

    Raises:
        TaskRefusedError: A seed, too many epochs, a wide clip or none, no noise, another release or threat model, or
            too late.
    """
    if task.release != release:
        raise TaskRefusedError(f"the task is of release {task.release}, this device has {release}")
    if policy.simulated:
        return
    if seconds_left <= 0:
        raise TaskRefusedError("the round's deadline has passed")
    if task.seed is not None:
        raise TaskRefusedError("the task brings a seed; a person's device draws its own noise")
    if policy.most_epochs is not None and task.epochs > policy.most_epochs:
        raise TaskRefusedError(f"the task asks for {task.epochs} epochs; this device does {policy.most_epochs} at most")
    _require_clipped(task.clip_norm, policy.largest_clip_norm)
    if policy.noised_on_device and task.call_privacy is None and task.secure is None:
        raise TaskRefusedError("the task asks for an update without noise, which was not consented to")
    _require_noise_in_shares(task, policy.least_noise_multiplier)
    if task.secure and policy.threat_model not in (None, task.secure.threat_model):
        raise TaskRefusedError(f"the task is for a server that is {task.secure.threat_model}; this device trusts none")


def _require_clipped(clip_norm: float | None, largest: float | None) -> None:
    if largest is not None and (clip_norm is None or clip_norm > largest):
        raise TaskRefusedError(f"the task clips to {clip_norm}; this device asks for {largest} at most")


def _require_noise_in_shares(task: LocalTask, least: float | None) -> None:
    """Refuse a secure sum with too little noise: what a quorum's shares come to, over the clip."""
    if task.secure is None or task.clip_norm is None or least is None:
        return
    multiplier = task.secure.noise_deviation * math.sqrt(task.secure.quorum) / task.clip_norm
    if multiplier < least * (1 - 1e-9):
        raise TaskRefusedError(
            f"the task's noise multiplier is {multiplier:.3g}; this device asks for {least} at least"
        )


def require_participation(task: LocalTask, policy: DevicePolicy, rounds: Sequence[int], in_period: int) -> None:
    """Refuse a round that the person has had, that comes too soon, or that is one too many.

    Args:
        task: What the server asks for.
        policy: The device's.
        rounds: Of this run, that the device was charged for; growing.
        in_period: Rounds of all runs that it was charged for in this period.

    Raises:
        TaskRefusedError: The round was charged already or lies before one that was, or comes too soon.
        BudgetSpentError: The participations are spent.
    """
    earlier = [number for number in rounds if number < task.round_number]
    if len(earlier) < len(rounds) and not policy.simulated:
        raise TaskRefusedError(f"round {task.round_number} is over: this device was asked for {rounds[-1]} before")
    if earlier and task.round_number - earlier[-1] < task.separation:
        raise TaskRefusedError(f"round {task.round_number} is less than {task.separation} after {earlier[-1]}")
    limits = [most for most in (policy.participations, task.participations) if most is not None]
    if limits and len(earlier) >= min(limits):
        raise BudgetSpentError(f"{len(earlier)} of {min(limits)} participations in this run are spent")
    if policy.participations_a_period is not None and in_period >= policy.participations_a_period:
        raise BudgetSpentError(f"{in_period} of {policy.participations_a_period} participations a period are spent")


def require_call_budget(
    steps: CallSteps | None, budget: CallBudget, this_period: Sequence[CallSteps], lifetime: Sequence[CallSteps]
) -> None:
    """Refuse a training that would overspend on a call.

    Args:
        steps: What it may take; ``None`` where it takes none.
        budget: The device's.
        this_period: Steps charged in this period.
        lifetime: Steps charged in the last ``budget.periods`` periods, this one among them.

    Raises:
        BudgetSpentError: With what is spent.
    """
    if steps is None:
        return
    for name, spent, limit in (
        ("this period", this_period, budget.period_epsilon),
        (f"{budget.periods} periods", lifetime, budget.lifetime_epsilon),
    ):
        if composed_epsilon([*spent, steps], budget.delta) > limit:
            told = show_epsilon(composed_epsilon(spent, budget.delta))
            raise BudgetSpentError(
                f"epsilon {told} of {limit:g} a call is spent in {name}, and this training needs more than is left"
            )
