"""The audit log in words: what happened, who did it, and to what."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from api.audit.chain import AuditRow, Deed
from api.audit.service import AuditPage
from api.dashboard.wording import ACTORS, EVENTS, PURPOSES
from models.page.text import Text

_ROLLOUT = re.compile(r"[0-9a-f-]+ release=([0-9]+) percent=([0-9]+)")
_SHOWN_OF_AN_ID = 13


@dataclass(frozen=True, slots=True)
class Line:
    """A row as people read it.

    Attributes:
        who: Kind of the actor.
        name: An operator's login name, else the beginning of an id.
        whom: What it was done to.
    """

    row: AuditRow
    what: Text
    who: Text
    name: str
    whom: Text


def describe_page(page: AuditPage) -> list[Line]:
    """Return the rows of a page in words."""
    return [_describe(row, page.operators) for row in page.rows]


def _describe(row: AuditRow, operators: Mapping[str, str]) -> Line:
    deed = row.deed
    what = EVENTS.get(deed.event, Text(deed.event, deed.event))
    who = ACTORS.get(deed.actor_kind, Text(deed.actor_kind, deed.actor_kind))
    return Line(row, what, who, _name(deed.actor_id, operators), _whom(deed, operators))


def _name(id_: str, operators: Mapping[str, str]) -> str:
    return operators.get(id_, id_[:_SHOWN_OF_AN_ID])


def _whom(deed: Deed, operators: Mapping[str, str]) -> Text:
    if (purpose := PURPOSES.get(deed.subject)) is not None:
        return purpose
    if (rollout := _ROLLOUT.fullmatch(deed.subject)) is not None:
        version, percent = rollout.groups()
        return Text(f"release {version}, {percent}% of devices", f"배포 {version}번, 기기 {percent}%")
    shown = _name(deed.subject, operators) or "–"
    return Text(shown, shown)
