"""All that one process of the API runs with."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from api.keys import Keys
from api.people.passwords import PRODUCTION_COST, PasswordCost

Clock = Callable[[], float]
"""Returns seconds since 1970; passed in, so that tests need not sleep."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The configuration of a running API.

    Attributes:
        database_url: As SQLAlchemy writes it; may hold a password.
        registry: Directory that the federation's server publishes into.
        keys: Secret; never printed.
        clock: What time it is.
        password_cost: Of hashing one password.
    """

    database_url: str
    registry: Path
    keys: Keys
    clock: Clock = time.time
    password_cost: PasswordCost = PRODUCTION_COST

    def __repr__(self) -> str:
        """Leave out the database's address and the keys."""
        return f"Settings(registry={str(self.registry)!r})"

    @property
    def now(self) -> datetime:
        """The present moment, with its time zone."""
        return datetime.fromtimestamp(self.clock(), UTC)


@dataclass(frozen=True, slots=True)
class Binding:
    """Where the API listens.

    Attributes:
        port: 0 takes any free one.
        certificate: Both files for TLS, or ``None`` for plain HTTP, which is for loopback only.
        proxy: Address of a proxy in front, which is believed when it names the sender's; ``None`` where there is none.
    """

    host: str
    port: int
    certificate: tuple[Path, Path] | None
    proxy: str | None = None
