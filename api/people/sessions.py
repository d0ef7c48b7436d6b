"""Sessions: one refresh token is good at a time; an old one that comes back ends the session (RFC 9700, 4.14.2).

A refresh token is its session's id and 256 random bits. The database keeps SHA-256 of the bits: what is drawn at random
from so many needs no slow hash.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection

from api.auth.access_tokens import AccessClaims, issue_access_token
from api.keys import KeyRing
from api.people import repository
from api.people.repository import StoredSession
from api.security_events import Actor, SecurityEvent, record_event

IDLE_SECONDS = 30 * 86_400
"""A session that isn't used for this long is over."""

LONGEST_SECONDS = 180 * 86_400
"""After this time a session is over in any case."""

_ID_BYTES = 16
_TOKEN_BYTES = 32


@dataclass(frozen=True, slots=True, repr=False)
class Tokens:
    """What a person's device holds while logged in. Sensitive: whoever has them is the person.

    Attributes:
        access: Good for ``ACCESS_SECONDS``.
        refresh: Good once.
    """

    access: str
    refresh: str


def start_session(connection: Connection, ring: KeyRing, person_id: str, now: float) -> Tokens:
    """Begin a session and return its first tokens."""
    secret = _new_secret()
    moment = int(now)
    session = StoredSession(
        secrets.token_hex(_ID_BYTES), person_id, _hash(secret), moment, moment + min(IDLE_SECONDS, LONGEST_SECONDS)
    )
    repository.add_session(connection, session)
    return _tokens(ring, session, secret, now)


def refresh_session(connection: Connection, ring: KeyRing, token: str, now: float) -> Tokens | None:
    """Return new tokens for a refresh token, or ``None`` where it is no good.

    One that was good once shows that somebody has a copy: then the session is deleted, so that neither has it any more.
    The caller commits in either case.
    """
    session_id, _, secret = token.partition(".")
    session = repository.find_session(connection, session_id)
    if session is None or session.expires_at <= now:
        return None
    new_secret = _new_secret()
    expires_at = min(int(now) + IDLE_SECONDS, session.started_at + LONGEST_SECONDS)
    is_good = hmac.compare_digest(session.token_hash, _hash(secret))
    if is_good and repository.replace_token(connection, session, _hash(new_secret), expires_at):
        return _tokens(ring, session, new_secret, now)
    repository.end_session(connection, session.person_id, session.id)
    actor, moment = Actor("person", session.person_id), datetime.fromtimestamp(now, UTC)
    record_event(connection, SecurityEvent.REFRESH_TOKEN_REUSED, actor, moment)
    return None


def _tokens(ring: KeyRing, session: StoredSession, secret: str, now: float) -> Tokens:
    access = issue_access_token(ring, AccessClaims(session.person_id, session.id), now)
    return Tokens(access, f"{session.id}.{secret}")


def _new_secret() -> str:
    return secrets.token_urlsafe(_TOKEN_BYTES)


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
