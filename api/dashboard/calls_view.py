"""What people's calls are like, week after week: released estimates, each with its interval."""

from __future__ import annotations

from collections.abc import Sequence

from api.dashboard.charts import Chart, Column, last_value
from api.dashboard.wording import WINDOW
from api.operator.service import OverrideRate
from api.statistics.repository import Figure
from models.domain.call import ScamType
from models.domain.release import Verdict
from models.page.text import Text, percent
from models.page.wording import value_text


def draw_types(figures: Sequence[Figure]) -> Chart:
    """Draw the share of devices whose drawn call was a scam of each type."""
    types = [scam_type.value for scam_type in ScamType]
    rows = tuple(tuple(figure.estimates[value].share for value in types) for figure in figures)
    most = max(zip(rows[-1], types, strict=True))
    name = value_text(most[1])
    return Chart(
        name="types",
        caption=Text("Types of scam, share of devices", "사기 유형별 기기 비율"),
        summary=Text(
            f"In the last week the most frequent: {name.en}, {percent(most[0])}",
            f"마지막 주 최다 유형: {name.ko}, {percent(most[0])}",
        ),
        across=WINDOW,
        labels=_weeks(figures),
        columns=tuple(Column(value_text(value), "line", f"type-{place}") for place, value in enumerate(types, 1)),
        rows=rows,
        unit="percent",
    )


def draw_warned(figures: Sequence[Figure]) -> Chart:
    """Draw the share of devices whose drawn call was called suspicious, and dangerous, with intervals."""
    told = ((Verdict.SUSPICIOUS.value, "before"), (Verdict.DANGEROUS.value, "alert"))
    rows = tuple(tuple(number for value, _ in told for number in _interval(figure, value)) for figure in figures)
    columns = tuple(
        Column(value_text(value) + end, role, ink)  # type: ignore[arg-type]
        for value, ink in told
        for end, role in (
            (Text("", ""), "line"),
            (Text(", 95 % interval from", ", 95 % 구간 하한"), "low"),
            (Text(", to", ", 상한"), "high"),
        )
    )
    last = last_value(rows, 3)
    return Chart(
        name="warned",
        caption=Text("Suspicious and dangerous calls, share of devices", "의심·위험 판정 기기 비율"),
        summary=Text(f"Dangerous in the last week: {percent(last or 0)}", f"마지막 주 위험 판정: {percent(last or 0)}"),
        across=WINDOW,
        labels=_weeks(figures),
        columns=columns,
        rows=rows,
        unit="percent",
    )


def draw_overrides(rates: Sequence[OverrideRate]) -> Chart:
    """Draw how many of the warned calls people called no vishing, with Fieller's interval."""
    rows = tuple((rate.ratio.value, rate.ratio.low, rate.ratio.high) for rate in rates)
    last = rates[-1].ratio
    return Chart(
        name="overrides",
        caption=Text("Warnings that people overrode (“보이스피싱 아님”)", "‘보이스피싱 아님’으로 뒤집힌 경고"),
        summary=Text(
            f"In the last week between {percent(last.low)} and {percent(last.high)}",
            f"마지막 주 {percent(last.low)}~{percent(last.high)}",
        ),
        across=WINDOW,
        labels=tuple(rate.window.name for rate in rates),
        columns=(
            Column(Text("overridden", "뒤집힘"), "line", "accent"),
            Column(Text("95 % interval from", "95 % 구간 하한"), "low", "accent"),
            Column(Text("to", "상한"), "high", "accent"),
        ),
        rows=rows,
        unit="percent",
    )


def _interval(figure: Figure, value: str) -> tuple[float, float, float]:
    estimate = figure.estimates[value]
    return estimate.share, estimate.low, estimate.high


def _weeks(figures: Sequence[Figure]) -> tuple[str, ...]:
    return tuple(figure.window.name for figure in figures)
