"""The door that people come through: an access token, a session that still lives, and a role."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy import Connection

from api.auth.access_tokens import AccessClaims, read_access_token
from api.context import Context, context_of
from api.database import transaction
from api.documentation import problems
from api.people import repository
from api.people.repository import Role
from api.problems import Problem, ProblemError
from api.security_events import Actor

LOGGED_IN = problems(Problem.TOKEN_REFUSED, Problem.DATABASE_UNAVAILABLE)
"""Errors that every endpoint for people may answer with."""

FOR_OPERATORS = LOGGED_IN | problems(Problem.OPERATORS_ONLY)
"""Errors that every endpoint for operators may answer with."""


@dataclass(frozen=True, slots=True)
class PersonCall:
    """A request whose person is known, inside its transaction."""

    connection: Connection
    person_id: str
    session_id: str
    role: Role
    now: datetime

    @property
    def actor(self) -> Actor:
        """Who is named where the request is recorded."""
        return Actor(self.role.value, self.person_id)


class PersonDoor:
    """One request that is still to be let in; see ``api.auth.door`` for why it is opened in the endpoint.

    Attributes:
        role: The least role that may come in.
    """

    def __init__(self, request: Request, role: Role) -> None:
        self._request, self.role = request, role
        self._context: Context = context_of(request)

    @contextmanager
    def open(self, *, write: bool = True) -> Iterator[PersonCall]:
        """Let the request in, for one transaction.

        Raises:
            ProblemError: The token is refused, its session is over, or the role is too small.
        """
        settings = self._context.settings
        claims = read_access_token(settings.keys.tokens, bearer_token(self._request), settings.clock())
        with transaction(self._context.engine, write=write) as connection:
            role = require_session(connection, claims, settings.now)
            if self.role is Role.OPERATOR and role is not Role.OPERATOR:
                raise ProblemError(Problem.OPERATORS_ONLY, "log in as an operator")
            yield PersonCall(connection, claims.person_id, claims.session_id, role, settings.now)


def bearer_token(request: Request) -> str:
    """Return the access token of a request.

    Raises:
        ProblemError: There is none, or more than one.
    """
    lines = request.headers.getlist("authorization")
    scheme, _, token = lines[0].partition(" ") if len(lines) == 1 else ("", "", "")
    if scheme.lower() != "bearer" or not token:
        raise ProblemError(Problem.TOKEN_REFUSED, "expected one header Authorization: Bearer TOKEN")
    return token


def require_session(connection: Connection, claims: AccessClaims, now: datetime) -> Role:
    """Return a person's role, if the session that a token belongs to still lives.

    Raises:
        ProblemError: It is over: logged out, revoked, expired, or its person is gone.
    """
    role = repository.role_in_session(connection, claims.person_id, claims.session_id, int(now.timestamp()))
    if role is None:
        raise ProblemError(Problem.TOKEN_REFUSED, "its session is over: log in again")
    return role


async def _person(request: Request) -> PersonDoor:
    return PersonDoor(request, Role.PERSON)


async def _operator(request: Request) -> PersonDoor:
    return PersonDoor(request, Role.OPERATOR)


Person = Annotated[PersonDoor, Depends(_person)]
"""For what everybody may do who is logged in."""

Operator = Annotated[PersonDoor, Depends(_operator)]
"""For what only operators may do."""
