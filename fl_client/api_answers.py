"""What the API answers, as frozen dataclasses."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from models.domain.consent import Purpose


@dataclass(frozen=True, slots=True)
class ConsentText:
    """What a person is shown before consenting; the four items of PIPA 15(2)."""

    purpose: Purpose
    version: str
    language: str
    aim: str
    items: str
    retention: str
    refusal: str


@dataclass(frozen=True, slots=True)
class Consent:
    """What the API holds for one purpose; without ``recorded_at`` nothing was ever said."""

    purpose: Purpose
    given: bool
    text_version: str | None = None
    language: str | None = None
    recorded_at: datetime | None = None
    receipt: str | None = None


@dataclass(frozen=True, slots=True)
class WithdrawalReceipt:
    """What the person keeps after a withdrawal.

    Attributes:
        reports_destroyed: Reports on windows that were still open.
        keys_destroyed: The API deleted the public keys that the device trains under.
        node_removal_ordered: The server that trains was told to ask this device no more.
    """

    purpose: Purpose
    withdrawn_at: datetime
    receipt: str
    reports_destroyed: int
    keys_destroyed: bool
    node_removal_ordered: bool


@dataclass(frozen=True, slots=True)
class ReportReceipt:
    """The API has the report until its window's figures are made."""

    window: str
    collected_until: datetime


@dataclass(frozen=True, slots=True)
class Estimate:
    """Which share of the devices holds a value: unbiased, with its interval cut to 0 and 1."""

    share: float
    standard_error: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Figure:
    """A released figure.

    Attributes:
        epsilon: Local differential privacy of one device's answer.
        reports: Devices that answered this question.
        confidence: Of each value's interval by itself.
        estimates: By value.
    """

    metric: str
    window: str
    epsilon: float
    reports: int
    confidence: float
    estimates: dict[str, Estimate]


@dataclass(frozen=True, slots=True)
class ReleasedFile:
    """A file of a release; the size is in bytes."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class CurrentRelease:
    """The newest release, as told to people. Nothing is installed on its word: see ``fl_client.releases``."""

    version: int
    rollout_percent: int
    notes: str
    files: tuple[ReleasedFile, ...]


@dataclass(frozen=True, slots=True)
class PersonAccount:
    """All that the API holds about a person, but for the password's hash."""

    id: str
    name: str
    role: str


@dataclass(frozen=True, slots=True)
class LoginSession:
    """A login on one device.

    Attributes:
        current: This is the one that asks.
    """

    id: str
    started_at: datetime
    expires_at: datetime
    current: bool
