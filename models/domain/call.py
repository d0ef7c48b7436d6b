"""A call: what was spoken, and the label its owner gave it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum


class Label(IntEnum):
    """What a call was, as its owner says."""

    NORMAL = 0
    VISHING = 1


class ScamType(StrEnum):
    """The four types of the police and the three that the detector's paper adds."""

    AGENCY = "agency"
    LOAN = "loan"
    MESSENGER = "messenger"
    SMISHING = "smishing"
    PERSONAL_DATA = "personal_data"
    ARS = "ars"
    MALICIOUS_APP = "malicious_app"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of speech. Seconds count from the start of the call."""

    start: float
    end: float
    text: str


@dataclass(frozen=True, slots=True)
class Call:
    """One labelled call. Sensitive: it never leaves the device it was made on.

    Attributes:
        id: Unique within a file; says nothing about a person.
        segments: What was said, in order of start. A call without time stamps is one text.
        text: The whole transcript where there are no segments.
        source: Where the call comes from; figures are given by source.
        scam_type: ``unknown`` for normal calls and where nobody said.
    """

    id: str
    label: Label
    segments: tuple[Segment, ...] = ()
    text: str = ""
    source: str = "unknown"
    scam_type: ScamType = ScamType.UNKNOWN

    @property
    def transcript(self) -> str:
        """Everything that was said."""
        return " ".join(segment.text for segment in self.segments) if self.segments else self.text

    def __repr__(self) -> str:
        """Name the call, never what was said in it."""
        return f"Call(id={self.id!r}, label={self.label.value})"
