"""What one running application holds: its settings, its database and what compares passwords."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from sqlalchemy import Engine
from starlette.requests import Request

from api.batching import Batches
from api.database import connect_database
from api.people.passwords import Passwords
from api.settings import Settings


@dataclass(frozen=True, slots=True)
class Context:
    """Held by the application as ``app.state.context``."""

    settings: Settings
    engine: Engine
    passwords: Passwords
    batches: Batches


def open_context(settings: Settings) -> Context:
    """Return what an application of these settings holds. Its database is opened with the first transaction."""
    engine = connect_database(settings.database_url)
    return Context(settings, engine, Passwords(settings.password_cost), Batches(engine))


def context_of(request: Request) -> Context:
    """Return the context of the application that a request came to."""
    return cast(Context, request.app.state.context)
