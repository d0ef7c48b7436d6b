"""From an update to the words that are masked, and from their sum back: rotate, scale, round, add noise, wrap.

Source: Kairouz, Liu, Steinke 2021, algorithms 1 and 2 (the distributed discrete Gaussian mechanism). The operator's
metric rides along: whether the update was clipped is one more coordinate, so that clipping, noise and charge are the
update's own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.domain.secure_aggregation import DistributedNoise, SecureTerms
from models.errors import ProtocolRefusedError, UsageError
from models.privacy.clipping import clip_update, update_norm
from models.privacy.discrete_gaussian import sample_discrete_gaussian
from models.privacy.randomness import WordSource
from models.privacy.rotation import PEAK, draw_signs, padded_length, rotate, rotate_back

LARGEST_SUM = 2**31 - 1
"""Words have 32 bits and carry signed numbers."""

LARGEST_VECTOR = 2**17
"""Coordinates that bounds and accounting allow for."""

METRIC_SHARE = 0.1
"""Part of the clipping norm that the metric takes; the update keeps sqrt(1 - METRIC_SHARE^2) = 99.5 % of it."""

NOISE_REACH = 12.0
"""Standard deviations of noise that a word has room for. Beyond it (probability 1e-27 for a whole vector) nothing is
sent."""

FEWEST_NOISE_BITS = 8
"""Below a deviation of 2^8 spacings the grid would be too coarse for bounds that are close to the Gaussian's."""

_REDRAWS = 200
"""A rounding is within its bound with probability 0.39 or more each time."""


@dataclass(frozen=True, slots=True)
class DecodedSum:
    """What a secure sum says.

    Attributes:
        update: Sum of the clipped updates, with noise, shape (P,).
        clipped: Number of devices that clipped, with noise: any real number.
    """

    update: NDArray[np.float64]
    clipped: float


@dataclass(frozen=True, slots=True)
class VectorCode:
    """How vectors of a round are written in words. Devices and server derive it from the terms alone.

    The noise's deviation is a power of two of spacings, the largest with which the sum of ``most_devices`` vectors
    stays below 2^31 on each side: a sum can't wrap around unnoticed.

    Attributes:
        parameters: Values of an update.
        clip_norm: L2 norm of update and metric together, at most.
        terms: Of the round.
        seed: Public; determines the rotation.
    """

    parameters: int
    clip_norm: float
    terms: SecureTerms
    seed: bytes

    def __post_init__(self) -> None:
        """Refuse what the words have no room for."""
        if padded_length(self.parameters + 1) > LARGEST_VECTOR:
            raise UsageError(f"an update of {self.parameters} values is too long for secure aggregation")
        if self.noise_bits < FEWEST_NOISE_BITS:
            raise UsageError(f"{self.terms.most_devices} devices with so little noise don't fit into 32-bit words")

    @property
    def length(self) -> int:
        """Words in a vector."""
        return padded_length(self.parameters + 1)

    @property
    def limit(self) -> int:
        """Largest magnitude that one device's word may have."""
        return LARGEST_SUM // self.terms.most_devices

    @property
    def noise_bits(self) -> int:
        """Logarithm to base 2 of the noise's deviation in spacings."""
        deviation = self.terms.noise_deviation
        reach = PEAK * self.clip_norm / deviation + NOISE_REACH
        return math.floor(math.log2((self.limit - 1) / reach))

    @property
    def spacing(self) -> float:
        """One step of the grid, in the update's unit."""
        return self.terms.noise_deviation * 2.0**-self.noise_bits

    @property
    def update_norm(self) -> float:
        """L2 norm that the update itself is clipped to."""
        return self.clip_norm * math.sqrt(1 - METRIC_SHARE**2)

    def noise(self) -> DistributedNoise:
        """Return what the accountant needs to know."""
        sensitivity = _rounded_norm(self.clip_norm / self.spacing)
        return DistributedNoise(self.terms.quorum, 2.0**self.noise_bits, sensitivity, LARGEST_VECTOR)

    def encode(self, update: NDArray[np.float64], source: WordSource) -> NDArray[np.uint32]:
        """Return a device's clipped update with its share of the noise, as words, shape (length,).

        Args:
            update: Before clipping, shape (P,). Sensitive.
            source: The operating system's with people's devices.

        Raises:
            UpdateRefusedError: The update is not finite.
            ProtocolRefusedError: A word would not fit; nothing may be sent.
        """
        clipped = update_norm(update) > self.update_norm
        metric = METRIC_SHARE * self.clip_norm if clipped else 0.0
        vector = np.append(clip_update(update, self.update_norm), metric)
        rotated = rotate(vector, draw_signs(self.seed, self.length))
        peak = float(np.abs(rotated).max())
        if peak > PEAK * self.clip_norm:
            rotated *= PEAK * self.clip_norm / peak
        rounded = round_within(rotated / self.spacing, _rounded_norm(self.clip_norm / self.spacing), source)
        noisy = rounded + sample_discrete_gaussian(self.noise_bits, self.length, source)
        if int(np.abs(noisy).max()) > self.limit:
            raise ProtocolRefusedError("a word would not fit")
        return noisy.astype(np.uint32)  # modulo 2^32

    def draw_noise(self, shares: int, source: WordSource) -> NDArray[np.uint32]:
        """Return the noise of so many devices, as words, shape (length,)."""
        total = np.zeros(self.length, np.int64)
        for _ in range(shares):
            total += sample_discrete_gaussian(self.noise_bits, self.length, source)
        return total.astype(np.uint32)

    def decode(self, total: NDArray[np.uint32]) -> DecodedSum:
        """Return what a sum of words says."""
        values = rotate_back(
            total.astype(np.int32).astype(np.float64) * self.spacing, draw_signs(self.seed, self.length)
        )
        metric = float(values[self.parameters])
        return DecodedSum(values[: self.parameters], metric / (METRIC_SHARE * self.clip_norm))


def round_within(values: NDArray[np.float64], limit: float, source: WordSource) -> NDArray[np.int64]:
    """Return values rounded up or down at random, without bias, until their L2 norm is within a limit.

    Source: Kairouz, Liu, Steinke 2021, section 4.2 (conditional rounding).

    Raises:
        ProtocolRefusedError: The limit is out of reach; rounding that respects it would take for ever.
    """
    low = np.floor(values)
    up = values - low
    for _ in range(_REDRAWS):
        rounded = low + (source.words(len(values)) * 2.0**-64 < up)
        if update_norm(rounded) <= limit * (1 - 1e-12):
            return rounded.astype(np.int64)
    raise ProtocolRefusedError("a vector can't be rounded within its norm")


def _rounded_norm(norm: float) -> float:
    """Return the bound of the norm after rounding, in spacings (Kairouz et al. 2021, with beta = exp(-1/2))."""
    root = math.sqrt(LARGEST_VECTOR)
    return min(norm + root, math.sqrt(norm**2 + LARGEST_VECTOR / 4 + norm + root / 2))
