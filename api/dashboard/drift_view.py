"""Drift as the operator sees it: which figures alarm in which week, and by how much."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from api.dashboard.charts import Chart, Column
from api.dashboard.wording import WINDOW, against_text
from api.operator.repository import Against, DriftOfFigure
from models.drift.alarm import ALARM_LEVEL, Statistic
from models.page.text import Text, decimal
from models.page.wording import METRICS

WEEKS_IN_TABLE = 10

_COLUMNS = (
    Column(Text("index", "지수"), "line", "accent"),
    Column(Text("threshold", "경보 기준"), "dash", "muted"),
    Column(Text("alarm", "경보"), "mark", "alert"),
)


@dataclass(frozen=True, slots=True)
class AlarmRow:
    """One metric against one kind of reference, a cell a week; ``None`` where nothing was measured."""

    metric: Text
    against: Text
    cells: tuple[DriftOfFigure | None, ...]


@dataclass(frozen=True, slots=True)
class AlarmTable:
    """Which figures alarm in which week."""

    weeks: tuple[str, ...]
    rows: tuple[AlarmRow, ...]


def tabulate_alarms(drifts: Sequence[DriftOfFigure]) -> AlarmTable:
    """Lay the last weeks' drifts out by metric and week, the newest first: a phone shows the left of a table."""
    weeks = sorted({found.window for found in drifts}, reverse=True)[:WEEKS_IN_TABLE]
    by_place = {(found.metric, found.against, found.window): found for found in drifts}
    rows = tuple(
        AlarmRow(METRICS[metric], against_text(against), tuple(by_place.get((metric, against, week)) for week in weeks))
        for metric, against in _series(drifts)
    )
    return AlarmTable(tuple(week.name for week in weeks), rows)


def newest_alarms(drifts: Sequence[DriftOfFigure]) -> list[DriftOfFigure]:
    """Return the alarms of the newest week, the least likely by chance first."""
    newest = max((found.window for found in drifts), default=None)
    return sorted(
        (found for found in drifts if found.window == newest and found.drift.alarms), key=lambda found: found.drift.p
    )


def draw_drifts(drifts: Sequence[DriftOfFigure]) -> list[Chart]:
    """Draw each metric's stability index over the weeks, with what it must exceed to be more than noise."""
    return [
        _draw(metric, against, [found for found in drifts if (found.metric, found.against) == (metric, against)])
        for metric, against in _series(drifts)
    ]


def _series(drifts: Iterable[DriftOfFigure]) -> list[tuple[str, Against]]:
    there = {(found.metric, found.against) for found in drifts}
    return [(metric, against) for against in Against for metric in METRICS if (metric, against) in there]


def _draw(metric: str, against: Against, drifts: Sequence[DriftOfFigure]) -> Chart:
    measured = [(found, found.drift.statistics[Statistic.PSI]) for found in drifts]
    caption = METRICS[metric] + Text(", ", ", ") + against_text(against)
    return Chart(
        name=f"drift-{metric.replace('_', '-')}-{against.value}",
        caption=caption,
        summary=_summary(drifts),
        across=WINDOW,
        labels=tuple(found.window.name for found in drifts),
        columns=_COLUMNS,
        rows=tuple((psi.value, psi.threshold, psi.value if found.drift.alarms else None) for found, psi in measured),
        unit="decimal",
    )


def _summary(drifts: Sequence[DriftOfFigure]) -> Text:
    alarms = [found.window.name for found in drifts if found.drift.alarms]
    last = drifts[-1].drift.statistics[Statistic.PSI]
    level = f"{ALARM_LEVEL:.0%}"
    told = Text(", ".join(alarms) or "none", ", ".join(alarms) or "없음")
    return Text(
        f"Population stability index by week; last {decimal(last.value)}, threshold {decimal(last.threshold)} at a "
        f"false-alarm level of {level}. Weeks with an alarm: {told.en}",
        f"주별 모집단 안정성 지수. 마지막 값 {decimal(last.value)}, 경보 기준 {decimal(last.threshold)}"
        f"(오경보율 {level}). 경보가 난 주: {told.ko}",
    )
