"""Privacy in the field's terms: a figure never travels without its unit, relation, adversary and accountant."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from models.domain.secure_aggregation import LARGEST_SCALE, SMALLEST_SCALE, DistributedNoise
from models.errors import UsageError

SMALLEST_DELTA = 1e-12
"""Below it figures are no longer about the plan. PLD cuts tails of 1e-15 off and counts them as certain failure: at
such a delta every epsilon is infinite, whatever the noise, and a search for enough would never end. One person among
all who live is 1e-10."""

MOST_ROUNDS, LARGEST_POPULATION = 10_000, 10_000_000_000
"""A round an hour for more than a year, and more people than live: beyond, PLD takes minutes."""


def show_epsilon(epsilon: float) -> str:
    """Return an epsilon for people: two digits after the point, of a small one two that count, lest it read as none."""
    return f"{epsilon:,.2f}" if epsilon >= 0.1 else f"{epsilon:.2g}"


class PrivacyMode(StrEnum):
    """Which protection a run trains under."""

    NONE = "none"
    PERSON = "person"
    CALL = "call"
    BOTH = "both"
    SECURE = "secure"

    @property
    def protects_persons(self) -> bool:
        """Whether whole updates are clipped and noised."""
        return self in (PrivacyMode.PERSON, PrivacyMode.BOTH, PrivacyMode.SECURE)

    @property
    def protects_calls(self) -> bool:
        """Whether devices train by DP-SGD."""
        return self in (PrivacyMode.CALL, PrivacyMode.BOTH)


class PrivacyUnit(StrEnum):
    """Whose presence is hidden: one call's, or a person's with all their calls."""

    CALL = "call"
    PERSON = "person"


class Adversary(StrEnum):
    """Who looks: those who see released models only, or the server that sees the sums."""

    RECIPIENTS = "recipients"
    SERVER = "server"


class NeighbouringRelation(StrEnum):
    """How two neighbouring data sets differ."""

    ADD_OR_REMOVE = "add_or_remove"
    REPLACE = "replace"
    ZERO_OUT = "zero_out"


class Mechanism(StrEnum):
    """What makes the noise.

    ``gaussian`` is fresh noise on each round's sum. ``ftrl`` is noise that a tree over the rounds correlates (DP-FTRL,
    Kairouz et al. 2021): it needs no honest draw of the cohort. ``dp_sgd`` is noise on each step of a device's
    training.
    """

    GAUSSIAN = "gaussian"
    FTRL = "ftrl"
    DP_SGD = "dp_sgd"


class ClippingRule(StrEnum):
    """Whether the clipping norm stays, or follows a quantile of the updates' norms."""

    FIXED = "fixed"
    ADAPTIVE = "adaptive"


@dataclass(frozen=True, slots=True)
class AdaptiveClipping:
    """How the clipping norm follows the updates (Andrew et al. 2021).

    Attributes:
        quantile: Share of updates that shall be no longer than the norm, in (0, 1).
        learning_rate: Of the norm's logarithm, a round.
        bit_noise: Standard deviation of the noise on the number of updates that are no longer than the norm. What this
            count spends is taken from the updates' share: they get more noise.
        smallest: The norm never falls below it ...
        largest: ... nor rises above it: devices refuse more than they agreed to.
    """

    quantile: float
    learning_rate: float
    bit_noise: float
    smallest: float
    largest: float

    def __post_init__(self) -> None:
        """Refuse numbers under which the norm would follow nothing."""
        if not 0 < self.quantile < 1:
            raise UsageError(f"expected a quantile in (0, 1), got {self.quantile}")
        if not (math.isfinite(self.learning_rate) and self.learning_rate > 0):
            raise UsageError(f"expected a learning rate above 0, got {self.learning_rate}")
        if not (math.isfinite(self.bit_noise) and self.bit_noise > 0):
            raise UsageError(f"expected noise on the count above 0, got {self.bit_noise}")
        if not 0 < self.smallest <= self.largest < math.inf:
            raise UsageError(f"expected norms above 0, growing, got {self.smallest} to {self.largest}")


@dataclass(frozen=True, slots=True)
class PersonPrivacy:
    """User-level privacy of a run: everything that its epsilon depends on.

    Attributes:
        clip_norm: L2 norm that a device's whole update is clipped to; with adaptive clipping, in the first round.
        noise_multiplier: Standard deviation of the noise on the sum, in units of ``clip_norm``.
        cohort: Devices in a round that the noise is calibrated to and the sum is divided by.
        population: Devices that a round's cohort is drawn from (Poisson sampling).
        rounds: Rounds planned.
        participations: The most rounds that one person takes part in (enforced by the person's device).
        delta: Probability with which the guarantee may fail.
        mechanism: ``gaussian`` or ``ftrl``.
        separation: With ``ftrl``: rounds from one participation of a person to the next, at least.
        tree_rounds: With ``ftrl``: rounds after which the tree starts anew.
        adaptive: How the clipping norm follows the updates; ``None`` where it stays.
        distributed: How the noise comes about where devices add it; ``None`` where the server does.
    """

    clip_norm: float
    noise_multiplier: float
    cohort: int
    population: int
    rounds: int
    participations: int
    delta: float
    mechanism: Mechanism = Mechanism.GAUSSIAN
    separation: int = 1
    tree_rounds: int = 32
    adaptive: AdaptiveClipping | None = None
    distributed: DistributedNoise | None = None

    def __post_init__(self) -> None:
        """Refuse numbers under which nobody would be protected."""
        require_mechanism(self.clip_norm, self.noise_multiplier, self.delta)
        for name in ("rounds", "cohort", "population", "participations", "separation", "tree_rounds"):
            if getattr(self, name) < 1:
                raise UsageError(f"expected {name} of 1 or more, got {getattr(self, name)}")
        for name, most in (("rounds", MOST_ROUNDS), ("population", LARGEST_POPULATION)):
            if getattr(self, name) > most:
                raise UsageError(f"expected {name} of {most:,} at most, got {getattr(self, name)}")
        if self.cohort > self.population:
            raise UsageError(f"expected a cohort of 1 to {self.population} devices, got {self.cohort}")
        if self.mechanism is Mechanism.DP_SGD:
            raise UsageError("DP-SGD protects calls, not persons")
        if self.adaptive is not None:
            self._require_adaptable(self.adaptive)

    def _require_adaptable(self, adaptive: AdaptiveClipping) -> None:
        if self.mechanism is Mechanism.FTRL:
            raise UsageError("a tree's noise spans rounds, so its clipping norm has to stay: no adaptive clipping")
        if not adaptive.smallest <= self.clip_norm <= adaptive.largest:
            raise UsageError(
                f"expected a first clipping norm of {adaptive.smallest} to {adaptive.largest}, got {self.clip_norm}"
            )
        if 2 * adaptive.bit_noise <= self.noise_multiplier:
            raise UsageError(
                f"noise of {adaptive.bit_noise} on the count spends all that multiplier {self.noise_multiplier} allows"
            )

    @property
    def sampling_rate(self) -> float:
        """Probability with which Poisson sampling draws a given device in a round."""
        return self.cohort / self.population


@dataclass(frozen=True, slots=True)
class CallPrivacy:
    """Example-level privacy of the training on one device (DP-SGD).

    Attributes:
        clip_norm: L2 norm that each call's gradient is clipped to.
        noise_multiplier: Standard deviation of the noise on the summed gradients, in units of ``clip_norm``.
        batch_calls: Calls in a batch, expected; a device with fewer takes them all.
        delta: Probability with which the guarantee may fail.
    """

    clip_norm: float
    noise_multiplier: float
    batch_calls: int
    delta: float

    def __post_init__(self) -> None:
        """Refuse numbers under which no call would be protected."""
        require_mechanism(self.clip_norm, self.noise_multiplier, self.delta)
        if self.batch_calls < 1:
            raise UsageError(f"expected batches of 1 call or more, got {self.batch_calls}")


def require_mechanism(clip_norm: float, noise_multiplier: float, delta: float) -> None:
    """Refuse a Gaussian mechanism without a guarantee.

    Raises:
        UsageError: A number is out of range or not finite.
    """
    for name, scale in (("clipping norm", clip_norm), ("noise multiplier", noise_multiplier)):
        if not SMALLEST_SCALE <= scale <= LARGEST_SCALE:
            raise UsageError(f"expected a {name} of {SMALLEST_SCALE:g} to {LARGEST_SCALE:g}, got {scale}")
    require_delta(delta)


def require_delta(delta: float) -> None:
    """Refuse a delta that is no probability, or smaller than accountants can tell.

    Raises:
        UsageError: It is out of range or not finite.
    """
    if not SMALLEST_DELTA <= delta < 1:
        raise UsageError(f"expected a delta of {SMALLEST_DELTA:g} or more and below 1, got {delta}")


@dataclass(frozen=True, slots=True)
class SimulatedCounts:
    """What really ran where a figure stands for a larger population and cohort."""

    devices: int
    cohort: int


@dataclass(frozen=True, slots=True)
class PrivacyStatement:
    """One privacy figure, with all that it means nothing without."""

    unit: PrivacyUnit
    against: Adversary
    relation: NeighbouringRelation
    epsilon: float
    delta: float
    accountant: str
    sampler: str
    population: int
    cohort: int
    rounds: int
    participations: int
    simulated: SimulatedCounts | None
    mechanism: Mechanism = Mechanism.GAUSSIAN
    clipping: ClippingRule = ClippingRule.FIXED
