"""Batches: what waits for the database at the same time is done by one thread on one connection.

On SQLite, which has one writer, it is also done in one transaction (group commit: DeWitt et al., "Implementation
Techniques for Main Memory Database Systems", 1984). Each is answered after the commit that holds it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool

from api.database import transaction
from api.problems import ProblemError

LARGEST_GROUP = 32
"""Requests of one transaction on SQLite, so that other writers needn't wait long."""

_LARGEST_BATCH, _BATCHES_AT_ONCE = 8, 8  # on PostgreSQL; more threads would wait for the interpreter, not for it

_Answer = TypeVar("_Answer")
_Work = Callable[[Connection], Any]


class Batches:
    """Does what many requests want of a database.

    Args:
        engine: Of the database.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine, self._is_grouping = engine, engine.dialect.name == "sqlite"
        self._largest, self._at_once = (LARGEST_GROUP, 1) if self._is_grouping else (_LARGEST_BATCH, _BATCHES_AT_ONCE)
        self._waiting: list[tuple[_Work, asyncio.Future[Any]]] = []
        self._running: set[asyncio.Task[Any] | None] = set()

    async def run(self, work: Callable[[Connection], _Answer]) -> _Answer:
        """Return what a piece of work returns, once it is committed.

        Args:
            work: Gets a connection inside a transaction, in another thread. What it wrote before a ``ProblemError``
                stays; any other error undoes what it wrote, and may have it done a second time, alone.

        Raises:
            ProblemError: The work raised it.
            SQLAlchemyError: The database failed, and nothing was changed.
        """
        answer: asyncio.Future[_Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((work, answer))
        if len(self._running) < self._at_once:
            self._running.add(asyncio.create_task(self._take_turns()))
        return await answer

    async def _take_turns(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[: self._largest], self._waiting[self._largest :]
                outcomes = await run_in_threadpool(self._carry_out, [work for work, _ in batch])
                for (_, answer), outcome in zip(batch, outcomes, strict=True):
                    _settle(answer, outcome)
        finally:
            # At once, not when the task is known to be done: what comes in between would wait for nobody.
            self._running.discard(asyncio.current_task())

    def _carry_out(self, batch: Sequence[_Work]) -> list[Any]:
        try:
            return self._together(batch) if self._is_grouping else self._one_by_one(batch)
        except Exception as error:
            if len(batch) == 1 or isinstance(error, SQLAlchemyError):
                return [error] * len(batch)
        return [self._carry_out([work])[0] for work in batch]

    def _together(self, group: Sequence[_Work]) -> list[Any]:
        with transaction(self._engine) as connection:
            return [_do(work, connection) for work in group]

    def _one_by_one(self, batch: Sequence[_Work]) -> list[Any]:
        with self._engine.connect() as connection:
            return [_do_alone(work, connection) for work in batch]


def _do(work: _Work, connection: Connection) -> Any:
    try:
        return work(connection)
    except ProblemError as refusal:
        return refusal


def _do_alone(work: _Work, connection: Connection) -> Any:
    try:
        with connection.begin():
            return _do(work, connection)
    except Exception as error:
        return error


def _settle(answer: asyncio.Future[Any], outcome: Any) -> None:
    if answer.done():  # whoever asked has gone
        return
    if isinstance(outcome, Exception):
        answer.set_exception(outcome)
    else:
        answer.set_result(outcome)
