"""What a round under secure aggregation agrees on before any device is asked: the server learns a sum, or nothing."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from models.errors import UsageError

SMALLEST_SCALE, LARGEST_SCALE = 1e-12, 1e9
"""Between them are norms and noises: beyond, sums vanish or overflow."""

MOST_DEVICES = 2**20
"""Of one round; sums of so many have hardly room for noise in a word of 32 bits."""

FEWEST_DEVICES = 3
"""Of two devices, each could take its own update from the sum and would hold the other's."""


class ThreatModel(StrEnum):
    """What the server is believed to do: follow the protocol and look, or anything at all."""

    HONEST_BUT_CURIOUS = "honest_but_curious"
    ACTIVE = "active"


@dataclass(frozen=True, slots=True)
class SecureTerms:
    """The terms that a device signs with its keys; it takes no part in a round that departs from them.

    Attributes:
        threat_model: What devices protect themselves against.
        expected_dropout: Share of the devices that may be lost between their keys and the last stage; degree and
            threshold of the graph follow from it.
        quorum: Devices that must be in the sum; below it nobody unmasks. It is also the number that the target's
            variance is divided by to give each device's: so a sum that is unmasked carries enough noise.
        most_devices: Devices that a round may have; the sum of so many can't overflow.
        noise_deviation: Standard deviation of the noise that each device adds to each coordinate, in the update's unit.
    """

    threat_model: ThreatModel
    expected_dropout: float
    quorum: int
    most_devices: int
    noise_deviation: float

    def __post_init__(self) -> None:
        """Refuse terms under which a sum would be no sum of several, or carry no noise."""
        if not 0 <= self.expected_dropout < 1:
            raise UsageError(f"expected a dropout of 0 or more and below 1, got {self.expected_dropout}")
        if not FEWEST_DEVICES <= self.quorum <= self.most_devices:
            raise UsageError(f"expected a quorum of {FEWEST_DEVICES} to {self.most_devices}, got {self.quorum}")
        if self.most_devices > MOST_DEVICES:
            raise UsageError(f"expected {MOST_DEVICES:,} devices at most, got {self.most_devices}")
        if not SMALLEST_SCALE <= self.noise_deviation <= LARGEST_SCALE:
            raise UsageError(
                f"expected a noise deviation of {SMALLEST_SCALE:g} to {LARGEST_SCALE:g}, got {self.noise_deviation}"
            )


@dataclass(frozen=True, slots=True)
class DistributedNoise:
    """Discrete Gaussian noise that devices add in shares, on a grid of whole numbers.

    Attributes:
        shares: Devices whose noise is in every sum that is unmasked (the quorum); more only add to it.
        deviation: Standard deviation of each one's noise, in spacings of the grid.
        sensitivity: Largest L2 norm of a device's rounded vector, in spacings.
        dimension: Coordinates of the vector, at most.
    """

    shares: int
    deviation: float
    sensitivity: float
    dimension: int
