"""What an operator sees before ordering anything, under a tag that changes whenever it does."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection

from api.orders import repository
from api.problems import Problem, ProblemError
from api.releases.repository import PublishedRelease, RegistryUnreadableError, read_releases
from models.domain.release import releases_digest


@dataclass(frozen=True, slots=True)
class Situation:
    """The state that an order is given under.

    Attributes:
        releases: All, the oldest first.
        paused: Whether rounds are paused.
        pending: Names of operators' orders without an outcome, the oldest first.
    """

    releases: tuple[PublishedRelease, ...]
    paused: bool
    pending: tuple[str, ...]

    @property
    def digest(self) -> str:
        """What names the releases alone; the server that trains compares it once more."""
        return releases_digest({release.version: release.rollout_percent for release in self.releases})

    @property
    def tag(self) -> str:
        """What names all of it, as an ETag."""
        content = json.dumps([self.digest, self.paused, self.pending]).encode()
        return f'"{hashlib.sha256(content).hexdigest()[:32]}"'

    def has(self, version: int) -> bool:
        """Return whether there is a release of that version."""
        return any(release.version == version for release in self.releases)


def read_situation(connection: Connection, registry: Path) -> Situation:
    """Return what holds now.

    Raises:
        ProblemError: The registry can't be read.
    """
    placed = repository.operator_order_names(connection)
    pending = tuple(name for name in placed if not (registry / "outcomes" / f"{name}.json").exists())
    return Situation(require_releases(registry), (registry / "paused").exists(), pending)


def require_releases(registry: Path) -> tuple[PublishedRelease, ...]:
    """Return all releases, the oldest first.

    Raises:
        ProblemError: The registry can't be read.
    """
    try:
        return read_releases(registry)
    except RegistryUnreadableError:
        raise ProblemError(
            Problem.NOT_READY, "the registry is gone or damaged: the operator has to restore it from a copy"
        ) from None
