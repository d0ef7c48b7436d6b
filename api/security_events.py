"""Every event that a guard would want to hear of goes through one function, in the transaction that it belongs to."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal

from sqlalchemy import Connection

from api.audit.chain import Deed
from api.audit.service import append_deed

_log = logging.getLogger("hearsay.security")


class SecurityEvent(StrEnum):
    """What happened."""

    SIGNED_UP = "signed-up"
    OPERATOR_CREATED = "operator-created"
    OPERATOR_REMOVED = "operator-removed"
    LOGGED_IN = "logged-in"
    LOGIN_REFUSED = "login-refused"
    LOGIN_THROTTLED = "login-throttled"
    LOGGED_OUT = "logged-out"
    LOGGED_OUT_EVERYWHERE = "logged-out-everywhere"
    REFRESH_TOKEN_REUSED = "refresh-token-reused"  # noqa: S105 - an event's name
    PASSWORD_CHANGED = "password-changed"  # noqa: S105 - an event's name
    PERSON_REMOVED = "person-removed"
    DEVICE_ENROLLED = "device-enrolled"
    DEVICE_SECRET_ROTATED = "device-secret-rotated"  # noqa: S105 - an event's name
    DEVICE_REMOVED = "device-removed"
    CONSENT_GIVEN = "consent-given"
    CONSENT_WITHDRAWN = "consent-withdrawn"
    GUARDIAN_RECORDED = "guardian-recorded"
    GUARDIAN_WITHDREW = "guardian-withdrew"
    ROLLOUT_ORDERED = "rollout-ordered"
    ROLLBACK_ORDERED = "rollback-ordered"
    PAUSE_ORDERED = "pause-ordered"
    KEYS_ROTATED = "keys-rotated"
    WINDOW_CLOSED_EARLY = "window-closed-early"
    RESUMPTION_ORDERED = "resumption-ordered"


ALARMING = (SecurityEvent.LOGIN_THROTTLED, SecurityEvent.REFRESH_TOKEN_REUSED)
"""What a guard should be woken for."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who did it.

    Attributes:
        id: Random id of a person or device; never a name or a network address. Empty where nobody is known.
    """

    kind: Literal["person", "operator", "device", "console", "nobody"]
    id: str = ""


NOBODY = Actor("nobody")

CONSOLE = Actor("console")
"""Whoever gives commands on the machine itself: the API can't tell who that is."""


def record_event(connection: Connection, event: SecurityEvent, actor: Actor, now: datetime, subject: str = "") -> None:
    """Record an event. The audit log names who did it by a random id; the process's log names nobody.

    Args:
        connection: The transaction that carries the event out: if it fails, nothing happened. It writes nothing more.
        event: What happened.
        actor: Who did it.
        now: When.
        subject: What it was done to, where that is not the actor: an id, a purpose, a window, an order with its release
            and its percentage. Never a name, nor anything that opens a door.
    """
    append_deed(connection, Deed(int(now.timestamp()), event.value, actor.kind, actor.id, subject))
    level = logging.WARNING if event in ALARMING else logging.INFO
    _log.log(level, "%s by %s on %s", event.value, actor.kind, connection.dialect.name)
