"""Drift in the database: rows are added, never changed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Connection, select

from api.database import insert_if_absent
from api.tables import drifts, figures
from models.domain.window import Window
from models.drift.alarm import Drift, Measured, Statistic


class Against(StrEnum):
    """What a figure is held against: the release's profile, or the first window of its model."""

    RELEASE = "release"
    WINDOW = "window"


@dataclass(frozen=True, slots=True)
class DriftOfFigure:
    """How far a released figure lies from a reference.

    Attributes:
        reference: A release's version, or a window's name.
        reports: Answers that the figure rests on.
    """

    window: Window
    metric: str
    against: Against
    reference: str
    reports: int
    drift: Drift


def list_drifts(connection: Connection, since: Window | None = None) -> list[DriftOfFigure]:
    """Return what was measured, oldest first; names of weeks sort by time."""
    statement = select(drifts).order_by(drifts.c.window, drifts.c.metric, drifts.c.against)
    if since is not None:
        statement = statement.where(drifts.c.window >= since.name)
    return [
        DriftOfFigure(
            Window.parse(row.window),
            row.metric,
            Against(row.against),
            row.reference,
            row.reports,
            Drift(_parse_statistics(row.statistics), row.p, row.effective_reports),
        )
        for row in connection.execute(statement)
    ]


def unmeasured_metrics(connection: Connection) -> set[str]:
    """Return the metrics that have a figure which wasn't measured against everything yet."""
    keys = set(connection.execute(select(figures.c.window, figures.c.metric)).tuples())
    measured = set(connection.execute(select(drifts.c.window, drifts.c.metric, drifts.c.against)).tuples())
    return {metric for window, metric in keys if any((window, metric, kind.value) not in measured for kind in Against)}


def insert_drift(connection: Connection, found: DriftOfFigure) -> None:
    """Store what was measured; a first measurement stays."""
    insert_if_absent(
        connection,
        drifts,
        window=found.window.name,
        metric=found.metric,
        against=found.against.value,
        reference=found.reference,
        reports=found.reports,
        effective_reports=found.drift.effective_reports,
        p=found.drift.p,
        statistics=json.dumps({name.value: [m.value, m.threshold, m.p] for name, m in found.drift.statistics.items()}),
    )


def _parse_statistics(text: str) -> dict[Statistic, Measured]:
    return {Statistic(name): Measured(*numbers) for name, numbers in json.loads(text).items()}
