"""Signing up, logging in and what follows from it. No password is hashed while a transaction is open."""

from __future__ import annotations

import secrets
from datetime import datetime

from sqlalchemy import Connection

from api.auth.browser import start_browser_session
from api.context import Context
from api.database import transaction
from api.people import repository
from api.people.passwords import require_usable
from api.people.repository import Role, StoredPerson
from api.people.sessions import Tokens, start_session
from api.people.throttle import Throttle
from api.problems import Problem, ProblemError
from api.security_events import CONSOLE, NOBODY, Actor, SecurityEvent, record_event

_ID_BYTES = 16


def sign_up(context: Context, name: str, password: str, address: str) -> Tokens:
    """Make an account and begin a session.

    Raises:
        ProblemError: The name is taken, the password can't be used, or the address tried too often.
    """
    usable = require_usable(password, name)
    _admit(context, address, None)
    person = _add_person(context, name, usable, Role.PERSON)
    return _begin_session(context, person)


def create_operator(context: Context, name: str, password: str) -> None:
    """Make an operator's account.

    Raises:
        ProblemError: The name is taken or the password can't be used.
    """
    _add_person(context, name, require_usable(password, name), Role.OPERATOR)


def remove_operator(connection: Connection, name: str, now: datetime) -> None:
    """Remove an operator's account with its sessions. What the operator did stays in the audit log, under a random id.

    Raises:
        ProblemError: No operator has that name.
    """
    found = repository.find_person_by_name(connection, name)
    if found is None or found.role is not Role.OPERATOR:
        raise ProblemError(Problem.NOT_FOUND, "no operator has that name")
    repository.remove_person(connection, found.id)
    record_event(connection, SecurityEvent.OPERATOR_REMOVED, CONSOLE, now, found.id)


def log_in(context: Context, name: str, password: str, address: str) -> Tokens:
    """Begin a session. An unknown name and a wrong password get the same answer after the same work.

    Raises:
        ProblemError: They don't belong together, or were tried too often.
    """
    person = _require_password(context, name, password, address)
    if context.passwords.is_outdated(person.password_hash):
        person = _store_password(context, person, password)
    return _begin_session(context, person)


def log_in_operator(context: Context, name: str, password: str, address: str) -> str:
    """Begin a browser's session and return its cookie. Who is no operator gets the answer of a wrong password.

    Raises:
        ProblemError: They don't belong together, were tried too often, or aren't an operator's.
    """
    person = _require_password(context, name, password, address)
    if person.role is not Role.OPERATOR:
        raise _login_refused()
    if context.passwords.is_outdated(person.password_hash):
        person = _store_password(context, person, password)
    now = context.settings.now
    with transaction(context.engine) as connection:
        if not repository.is_unchanged(connection, person):
            raise _login_refused()
        cookie = start_browser_session(connection, person.id, int(now.timestamp()))
        record_event(connection, SecurityEvent.LOGGED_IN, actor_of(person), now)
    return cookie


def change_password(context: Context, person_id: str, current: str, new: str, address: str) -> Tokens:
    """Replace a password, end all sessions and begin a new one.

    Raises:
        ProblemError: The current password is wrong, was tried too often, or the new one can't be used.
    """
    with transaction(context.engine, write=False) as connection:
        found = repository.find_person(connection, person_id)
    name = "" if found is None else found.name
    usable = require_usable(new, name)
    wrong = ProblemError(Problem.PASSWORD_WRONG, "check the current password")
    person = _require_password(context, name, current, address, wrong)
    person = _store_password(context, person, usable)
    with transaction(context.engine) as connection:
        repository.end_sessions(connection, person.id)
        record_event(connection, SecurityEvent.PASSWORD_CHANGED, actor_of(person), context.settings.now)
    return _begin_session(context, person)


def actor_of(person: StoredPerson) -> Actor:
    """Return who is named where a person's deeds are recorded."""
    return Actor("operator" if person.role is Role.OPERATOR else "person", person.id)


def _add_person(context: Context, name: str, password: str, role: Role) -> StoredPerson:
    person = StoredPerson(secrets.token_hex(_ID_BYTES), name, context.passwords.hash(password), role)
    with transaction(context.engine) as connection:
        if not repository.add_person(connection, person):
            raise ProblemError(Problem.NAME_TAKEN, "choose another login name")
        if role is Role.OPERATOR:
            record_event(connection, SecurityEvent.OPERATOR_CREATED, CONSOLE, context.settings.now, person.id)
        else:
            record_event(connection, SecurityEvent.SIGNED_UP, actor_of(person), context.settings.now)
    return person


def _require_password(
    context: Context, name: str, password: str, address: str, refusal: ProblemError | None = None
) -> StoredPerson:
    _admit(context, address, name)
    with transaction(context.engine, write=False) as connection:
        person = repository.find_person_by_name(connection, name)
    # Verified also where nobody has this name: otherwise the time would tell.
    is_right = context.passwords.is_right(None if person is None else person.password_hash, password)
    with transaction(context.engine) as connection:
        if person is not None and is_right:
            _throttle(context, connection).forgive(name)
            return person
        record_event(connection, SecurityEvent.LOGIN_REFUSED, NOBODY, context.settings.now)
    raise refusal or _login_refused()


def _store_password(context: Context, person: StoredPerson, password: str) -> StoredPerson:
    new_hash = context.passwords.hash(password)
    with transaction(context.engine) as connection:
        if not repository.replace_password(connection, person, new_hash):
            raise _login_refused()
    return StoredPerson(person.id, person.name, new_hash, person.role)


def _begin_session(context: Context, person: StoredPerson) -> Tokens:
    settings = context.settings
    with transaction(context.engine) as connection:
        # The password may have been changed, or the account removed, since it was verified.
        if not repository.is_unchanged(connection, person):
            raise _login_refused()
        tokens = start_session(connection, settings.keys.tokens, person.id, settings.clock())
        record_event(connection, SecurityEvent.LOGGED_IN, actor_of(person), settings.now)
    return tokens


def _admit(context: Context, address: str, name: str | None) -> None:
    """Count an attempt.

    Raises:
        ProblemError: It is one too many.
    """
    with transaction(context.engine) as connection:
        throttled = _throttle(context, connection).count_attempt(address, name)
        if throttled is not None and throttled.is_first:
            record_event(connection, SecurityEvent.LOGIN_THROTTLED, NOBODY, context.settings.now)
    if throttled is not None:
        raise ProblemError(Problem.TOO_MANY_ATTEMPTS, "try again later", retry_after=throttled.retry_after)


def _throttle(context: Context, connection: Connection) -> Throttle:
    return Throttle(connection, context.settings.keys.encryption, context.settings.clock())


def _login_refused() -> ProblemError:
    return ProblemError(Problem.LOGIN_REFUSED, "check the name and the password")
