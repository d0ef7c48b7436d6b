"""What a device is asked to do in a round: the words that server and device share."""

from __future__ import annotations

from dataclasses import dataclass

from models.domain.privacy import CallPrivacy
from models.domain.secure_aggregation import LARGEST_SCALE, SMALLEST_SCALE, SecureTerms
from models.errors import UsageError


@dataclass(frozen=True, slots=True)
class CallSteps:
    """DP-SGD steps of one training: what the device's ledger composes.

    Attributes:
        noise_multiplier: Standard deviation of the noise over the clipping norm.
        sampling_rate: Probability with which each call was drawn into a batch.
        steps: How many steps.
    """

    noise_multiplier: float
    sampling_rate: float
    steps: int


MOST = 2**32 - 1
"""The largest of numbers that only tell things apart."""

_LIMITS: dict[str, tuple[float, float]] = {
    "round_number": (1, MOST),
    "epochs": (1, 10_000),
    "batch_calls": (1, 1_000_000),
    "learning_rate": (SMALLEST_SCALE, 1e6),
    "vishing_weight": (SMALLEST_SCALE, 1e6),
    "shortest_words": (1, 1_000_000),
    "longest_words": (1, 1_000_000),
    "clip_norm": (SMALLEST_SCALE, LARGEST_SCALE),
    "seed": (0, 2**63 - 1),
    "release": (0, MOST),
    "participations": (1, MOST),
    "separation": (1, MOST),
}
"""Wider than anybody needs: nothing is trained, nor charged, for numbers that would overflow on the way."""


@dataclass(frozen=True, slots=True)
class LocalTask:
    """Training of one round on one device.

    Attributes:
        round_number: Counts from 1.
        epochs: Passes over the device's calls.
        batch_calls: Calls in a batch.
        learning_rate: Of plain stochastic gradient descent.
        vishing_weight: How much a vishing call weighs against a normal one: most devices hold few or none.
        shortest_words: Calls are cut after a random number of words from here ...
        longest_words: ... to here, so that the detector learns to judge growing calls.
        clip_norm: L2 norm that the whole update is clipped to; ``None`` where persons are not protected.
        call_privacy: DP-SGD on the device; ``None`` where calls are not protected.
        seed: Makes a simulation repeatable; ``None`` with people's devices.
        release: Version of the release that the run starts from; one run a release. 0 before the first.
        participations: The most rounds of this run that a device takes part in; ``None`` in a simulation whose few
            devices stand for many.
        separation: Rounds from one participation to the next, at least.
        secure: The terms of secure aggregation; ``None`` where the update leaves unmasked. A device that was set up for
            secure aggregation does no other task.
    """

    round_number: int
    epochs: int
    batch_calls: int
    learning_rate: float
    vishing_weight: float
    shortest_words: int
    longest_words: int
    clip_norm: float | None
    call_privacy: CallPrivacy | None
    seed: int | None
    release: int = 0
    participations: int | None = None
    separation: int = 1
    secure: SecureTerms | None = None

    def __post_init__(self) -> None:
        """Refuse a task that can't be carried out, or whose numbers are beyond all reason."""
        for name, (least, most) in _LIMITS.items():
            value = getattr(self, name)
            if value is not None and not least <= value <= most:
                raise UsageError(f"expected {name} of {least:,g} to {most:,g}, got {value}")
        if self.shortest_words > self.longest_words:
            raise UsageError(f"expected words that grow, got {self.shortest_words} to {self.longest_words}")
        if self.secure is not None and self.clip_norm is None:
            raise UsageError("secure aggregation needs clipped updates: their noise is for a norm")
