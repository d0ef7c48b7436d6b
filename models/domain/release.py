"""A release: the detector's files and what a device must know to use them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

ENROLMENT_KEY = "enrolment/authority.pub"
"""TUF target with the public key (Ed25519, 32 bytes) that certifies devices for secure rounds; signed offline."""


class Verdict(StrEnum):
    """What the device says of a call: nothing, 의심 or 위험."""

    NORMAL = "normal"
    SUSPICIOUS = "suspicious"
    DANGEROUS = "dangerous"


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Calibrated scores from which a call is called suspicious (의심) and dangerous (위험)."""

    suspicious: float
    dangerous: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """Platt scaling whose slope goes with how much was heard: the same logit says less of a few words than of many.

    Attributes:
        early_slope: What the logit is multiplied by after few words.
        late_slope: After many; between the two it goes with the logarithm of the number of words.
        offset: What is added then; how much was heard speaks for neither side by itself.
    """

    early_slope: float = 1.0
    late_slope: float = 1.0
    offset: float = 0.0


def releases_digest(rollouts: Mapping[int, int]) -> str:
    """Return what names a state of all releases, so that an order given under another one can be told.

    Args:
        rollouts: Percent of devices that each version is offered to.
    """
    return hashlib.sha256(json.dumps(sorted(rollouts.items())).encode()).hexdigest()
