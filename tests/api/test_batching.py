from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import Connection, Engine, event, insert, select
from sqlalchemy.exc import DBAPIError

from api.batching import LARGEST_GROUP, Batches
from api.database import connect_database
from api.problems import Problem, ProblemError
from api.tables import devices


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = connect_database(database_url)
    yield engine
    engine.dispose()


def adding(device_id: str, error: Exception | None = None) -> Callable[[Connection], str]:
    """Work that stores a device, and then fails where there is an error."""

    def add(connection: Connection) -> str:
        connection.execute(insert(devices).values(id=device_id, sealed_secret=b"", encryption_key=""))
        if error is not None:
            raise error
        return device_id

    return add


def at_once(engine: Engine, *works: Callable[[Connection], str]) -> list[str | BaseException]:
    async def run_all() -> list[str | BaseException]:
        batches = Batches(engine)
        return await asyncio.gather(*(batches.run(work) for work in works), return_exceptions=True)

    return asyncio.run(run_all())


def stored(engine: Engine) -> set[str]:
    with engine.begin() as connection:
        return set(connection.execute(select(devices.c.id)).scalars())


def test_all_that_waits_is_done_and_sqlite_does_it_in_few_transactions(engine: Engine) -> None:
    commits = []
    event.listen(engine, "commit", commits.append)
    names = [f"device {number}" for number in range(2 * LARGEST_GROUP)]
    assert at_once(engine, *map(adding, names)) == names
    assert len(commits) == (2 if engine.dialect.name == "sqlite" else len(names))
    assert stored(engine) == set(names)


def test_nothing_is_answered_before_it_is_committed(engine: Engine) -> None:
    async def run_all() -> None:
        batches = Batches(engine)
        for answered in asyncio.as_completed([batches.run(adding(f"device {number}")) for number in range(40)]):
            assert await answered in stored(engine)

    asyncio.run(run_all())


def test_what_is_refused_keeps_what_it_wrote_and_the_others_are_answered(engine: Engine) -> None:
    refusal = ProblemError(Problem.CONSENT_MISSING, "no consent")
    answers = at_once(engine, adding("first"), adding("refused", refusal), adding("last"))
    assert answers == ["first", refusal, "last"]
    assert stored(engine) == {"first", "refused", "last"}


def test_a_fault_undoes_itself_alone(engine: Engine) -> None:
    fault = ZeroDivisionError()
    assert at_once(engine, adding("first"), adding("faulty", fault), adding("last")) == ["first", fault, "last"]
    assert stored(engine) == {"first", "last"}


def test_what_the_database_refuses_is_told_and_nothing_of_it_stays(engine: Engine) -> None:
    first, again = at_once(engine, adding("same"), adding("same"))
    told = [answer for answer in (first, again) if isinstance(answer, DBAPIError)]
    assert len(told) + len(stored(engine)) == 2
    assert told


def test_who_went_away_keeps_nobody_else_waiting(engine: Engine) -> None:
    async def run_all() -> str:
        batches = Batches(engine)
        gone = asyncio.create_task(batches.run(adding("gone")))
        await asyncio.sleep(0)  # lets it begin to wait
        gone.cancel()
        return await batches.run(adding("there"))

    assert asyncio.run(run_all()) == "there"
    assert "there" in stored(engine)
