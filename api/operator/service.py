"""What an operator looks at, gathered from the database and the registry. Nothing here reads a single report."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from sqlalchemy import Connection

from api.operator.drift import histogram_of
from api.operator.repository import DriftOfFigure, list_drifts
from api.operator.rounds import read_last_rounds
from api.problems import Problem, ProblemError
from api.releases.profiles import read_profile_of
from api.releases.repository import PublishedRelease, RegistryUnreadableError, read_releases
from api.statistics.repository import figures_of
from models.domain.profile import ReleaseProfile
from models.domain.round import RoundReport
from models.domain.statistic import KEPT, OVERRIDDEN, OVERRIDE
from models.domain.window import Window
from models.drift.ratio import Ratio, estimate_ratio

_SHOWN = timedelta(weeks=53)
"""Windows older than it are kept and not shown."""


@dataclass(frozen=True, slots=True)
class OverrideRate:
    """How many of the warned calls of a window were overridden."""

    window: Window
    ratio: Ratio


@dataclass(frozen=True, slots=True)
class ModelInUse:
    """A release and what it was like when it was signed; older releases have no profile."""

    release: PublishedRelease
    profile: ReleaseProfile | None


def read_rounds(registry: Path, last: int) -> list[RoundReport]:
    """Return the last rounds, in order.

    Raises:
        ProblemError: The registry is damaged.
    """
    with _readable():
        return read_last_rounds(registry, last)


def read_models(registry: Path) -> list[ModelInUse]:
    """Return every release, the oldest first.

    Raises:
        ProblemError: The registry is damaged.
    """
    with _readable():
        return [ModelInUse(release, read_profile_of(registry, release)) for release in read_releases(registry)]


def read_drifts(connection: Connection, now: Window) -> list[DriftOfFigure]:
    """Return what was measured in the last year, oldest first."""
    return list_drifts(connection, Window(now.monday - _SHOWN))


def read_overrides(connection: Connection, now: Window) -> list[OverrideRate]:
    """Return the override rates of the last year, oldest first."""
    return [
        OverrideRate(figure.window, estimate_ratio(histogram_of(figure), OVERRIDDEN, KEPT))
        for figure in figures_of(connection, OVERRIDE.name)
        if figure.window.monday >= now.monday - _SHOWN
    ]


@contextmanager
def _readable() -> Iterator[None]:
    try:
        yield
    except RegistryUnreadableError:
        raise ProblemError(Problem.NOT_READY, "the registry can't be read") from None
