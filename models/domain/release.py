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
    """Platt scaling: the calibrated score is sigmoid(slope * logit + offset)."""

    slope: float = 1.0
    offset: float = 0.0


def releases_digest(rollouts: Mapping[int, int]) -> str:
    """Return what names a state of all releases, so that an order given under another one can be told.

    Args:
        rollouts: Percent of devices that each version is offered to.
    """
    return hashlib.sha256(json.dumps(sorted(rollouts.items())).encode()).hexdigest()
