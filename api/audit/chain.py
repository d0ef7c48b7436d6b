"""The audit log as a chain of hashes: what a row is, how one follows from another, where a chain is broken.

Source: after Schneier and Kelsey, "Secure Audit Logs to Support Computer Forensics", 1999, without its keys: whoever
rewrites every row from one on is found only by an anchor that was kept elsewhere.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import astuple, dataclass

from models.errors import AuditBrokenError, BadInputError

BEGINNING = "0" * 64
"""What stands in the place of a former row's hash in the first row."""

_ANCHOR = re.compile(r"([0-9]{1,18}):([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class Deed:
    """Who did what, and when.

    Attributes:
        recorded_at: Seconds since 1970.
        event: As ``SecurityEvent`` names it.
        actor_kind: Person, operator, device, console or nobody.
        actor_id: Random id; empty where nobody is known.
        subject: What it was done to, where that is not the actor; else empty.
    """

    recorded_at: int
    event: str
    actor_kind: str
    actor_id: str
    subject: str = ""


@dataclass(frozen=True, slots=True)
class AuditRow:
    """A row of the log.

    Attributes:
        number: Counts from 1, without gaps.
        hash: SHA-256 over the former row's hash and all of this row, in hexadecimal.
    """

    number: int
    deed: Deed
    hash: str


@dataclass(frozen=True, slots=True)
class Anchor:
    """How long the chain was and how it ended; kept elsewhere, it shows later that nothing before it was changed."""

    number: int
    hash: str

    @classmethod
    def parse(cls, text: str) -> Anchor:
        """Return the anchor that a text spells.

        Raises:
            BadInputError: It spells none.
        """
        match = _ANCHOR.fullmatch(text.strip())
        if match is None:
            raise BadInputError("expected an anchor as `python -m api audit` prints it: NUMBER:HASH")
        return cls(int(match[1]), match[2])

    def __str__(self) -> str:
        return f"{self.number}:{self.hash}"


START = Anchor(0, BEGINNING)
"""Of a log without any row."""


def follow(head: Anchor, deed: Deed) -> AuditRow:
    """Return the row that a deed gets after the last one."""
    number = head.number + 1
    content = json.dumps([head.hash, number, *astuple(deed)], ensure_ascii=True, separators=(",", ":"), default=str)
    return AuditRow(number, deed, hashlib.sha256(content.encode()).hexdigest())


def verify_chain(rows: Iterable[AuditRow], anchors: Iterable[Anchor] = ()) -> Anchor:
    """Return the end of a chain in which every row is there and is what it was.

    Args:
        rows: All of them, by number.
        anchors: Ends that the chain had before.

    Raises:
        AuditBrokenError: It names the first row that is missing, was changed, or isn't the one of an anchor.
    """
    kept = {anchor.number: anchor.hash for anchor in anchors if anchor != START}
    head = START
    for row in rows:
        if row.number != head.number + 1:
            raise AuditBrokenError(head.number + 1, "is missing")
        if row != follow(head, row.deed):
            raise AuditBrokenError(row.number, "was changed")
        if kept.pop(row.number, row.hash) != row.hash:
            raise AuditBrokenError(row.number, "is not the one that an anchor names: the log was written anew")
        head = Anchor(row.number, row.hash)
    if kept:
        raise AuditBrokenError(min(max(head.number + 1, 1), min(kept)), "is missing: the end was cut off")
    return head
