"""People and their sessions in the database."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Connection, delete, insert, select, update

from api.database import insert_if_absent
from api.tables import people, sessions


class Role(StrEnum):
    """What a person may do."""

    PERSON = "person"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True, repr=False)
class StoredPerson:
    """A person as the database has them.

    Attributes:
        password_hash: argon2id, with its salt and cost.
    """

    id: str
    name: str
    password_hash: str
    role: Role


@dataclass(frozen=True, slots=True, repr=False)
class StoredSession:
    """A login on one device; moments are seconds since 1970.

    Attributes:
        token_hash: SHA-256 of the only refresh token that is good.
    """

    id: str
    person_id: str
    token_hash: str
    started_at: int
    expires_at: int


def add_person(connection: Connection, person: StoredPerson) -> bool:
    """Store a new person; false where the name is taken."""
    return insert_if_absent(
        connection,
        people,
        id=person.id,
        name=person.name,
        password_hash=person.password_hash,
        role=person.role.value,
    )


def find_person_by_name(connection: Connection, name: str) -> StoredPerson | None:
    """Return a person by login name."""
    row = connection.execute(select(people).where(people.c.name == name)).first()
    return None if row is None else StoredPerson(row.id, row.name, row.password_hash, Role(row.role))


def find_person(connection: Connection, person_id: str) -> StoredPerson | None:
    """Return a person by id."""
    row = connection.execute(select(people).where(people.c.id == person_id)).first()
    return None if row is None else StoredPerson(row.id, row.name, row.password_hash, Role(row.role))


def operator_names(connection: Connection) -> dict[str, str]:
    """Return the login names of all operators, by id."""
    found = connection.execute(select(people.c.id, people.c.name).where(people.c.role == Role.OPERATOR.value))
    return {row.id: row.name for row in found}


def replace_password(connection: Connection, person: StoredPerson, new_hash: str) -> bool:
    """Store another hash; false where the person is gone or the password was changed meanwhile."""
    statement = (
        update(people)
        .where(people.c.id == person.id, people.c.password_hash == person.password_hash)
        .values(password_hash=new_hash)
    )
    return connection.execute(statement).rowcount == 1


def is_unchanged(connection: Connection, person: StoredPerson) -> bool:
    """Say whether a person is still there with the same password, and keep it so until the transaction ends."""
    statement = select(people.c.id).where(people.c.id == person.id, people.c.password_hash == person.password_hash)
    return connection.execute(statement.with_for_update(read=True)).first() is not None


def remove_person(connection: Connection, person_id: str) -> None:
    """Delete a person and, by the tables' cascades, everything that is tied to them."""
    connection.execute(delete(people).where(people.c.id == person_id))


def add_session(connection: Connection, session: StoredSession) -> None:
    """Store a new session."""
    connection.execute(
        insert(sessions).values(
            id=session.id,
            person_id=session.person_id,
            token_hash=session.token_hash,
            started_at=session.started_at,
            expires_at=session.expires_at,
        )
    )


def find_session(connection: Connection, session_id: str) -> StoredSession | None:
    """Return a session by id."""
    row = connection.execute(select(sessions).where(sessions.c.id == session_id)).first()
    return None if row is None else StoredSession(*row)


def role_in_session(connection: Connection, person_id: str, session_id: str, now: int) -> Role | None:
    """Return a person's role, ``None`` where the session isn't theirs or isn't any more."""
    role = connection.execute(
        select(people.c.role)
        .join(sessions, sessions.c.person_id == people.c.id)
        .where(people.c.id == person_id, sessions.c.id == session_id, sessions.c.expires_at > now)
    ).scalar()
    return None if role is None else Role(role)


def replace_token(connection: Connection, session: StoredSession, new_hash: str, expires_at: int) -> bool:
    """Put another refresh token in place of a session's; false where somebody else did so first."""
    statement = (
        update(sessions)
        .where(sessions.c.id == session.id, sessions.c.token_hash == session.token_hash)
        .values(token_hash=new_hash, expires_at=expires_at)
    )
    return connection.execute(statement).rowcount == 1


def list_sessions(connection: Connection, person_id: str, now: int) -> list[StoredSession]:
    """Return a person's sessions, oldest first."""
    rows = connection.execute(
        select(sessions)
        .where(sessions.c.person_id == person_id, sessions.c.expires_at > now)
        .order_by(sessions.c.started_at, sessions.c.id)
    )
    return [StoredSession(*row) for row in rows]


def end_session(connection: Connection, person_id: str, session_id: str) -> bool:
    """Delete one of a person's sessions; false where they have no such one."""
    statement = delete(sessions).where(sessions.c.id == session_id, sessions.c.person_id == person_id)
    return connection.execute(statement).rowcount == 1


def end_sessions(connection: Connection, person_id: str) -> None:
    """Delete all of a person's sessions."""
    connection.execute(delete(sessions).where(sessions.c.person_id == person_id))


def forget_sessions(connection: Connection, now: int) -> None:
    """Delete the sessions whose time is over."""
    connection.execute(delete(sessions).where(sessions.c.expires_at <= now))
