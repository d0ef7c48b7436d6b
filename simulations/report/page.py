"""The report of a simulated run as one HTML file that loads nothing and runs no script."""

from __future__ import annotations

from dataclasses import dataclass

from models.domain.privacy import show_epsilon
from models.domain.statistic import SCAM_TYPE, VERDICT
from models.page import wording as kinds
from models.page.document import Language, page_environment, render_page
from models.page.picture import Picture
from models.page.text import Text, decimal
from simulations.report import findings, result_charts, round_charts, wording
from simulations.report.content import ReportContent
from simulations.report.glossary import GLOSSARY
from simulations.report.product import CallDetection


@dataclass(frozen=True, slots=True)
class Tile:
    """One of the figures at the top: what it was and became, whether that is better, and its mark if simulated."""

    name: Text
    before: str | None
    after: str
    better: bool | None
    note: Text
    mark: Text | None


def render_report(content: ReportContent, language: Language = "en") -> str:
    """Render a run's report: one self-contained page that loads nothing and runs no script.

    Args:
        content: What the run found.
        language: The language that the page opens in; the reader may switch to the other.
    """
    environment = page_environment("simulations.report")
    environment.globals |= {
        "value_text": kinds.value_text,
        "metric_text": kinds.metric_text,
        "spoken": spoken_lines,
    }
    return render_page(
        environment,
        "report.html.j2",
        language,
        content=content,
        pictures=_draw(content),
        tiles=_tiles(content),
        found=findings,
        words=wording,
        kinds=kinds,
        glossary=GLOSSARY,
    )


DRAWN = (VERDICT, SCAM_TYPE)
"""Questions whose answers are drawn; the others stand in tables."""


def _draw(content: ReportContent) -> dict[str, Picture]:
    """Draw the pictures that the content has figures for, by name."""
    drawn = (
        result_charts.draw_recall_by_type(content.before, content.after, content.run.unseen_type),
        result_charts.draw_accuracy_by_round(content),
        round_charts.draw_replies(content.rounds),
        round_charts.draw_update_norms(content.rounds),
        round_charts.draw_epsilon(content.rounds, content.privacy),
        None if content.detection is None else result_charts.draw_detection(content.detection),
        *(result_charts.draw_statistics(told) for told in content.statistics if told.metric in DRAWN),
    )
    return {picture.name: picture for picture in drawn if picture is not None}


def _tiles(content: ReportContent) -> list[Tile]:
    """Return the figures at the top of the page."""
    before, after, unseen = content.before, content.after, content.run.unseen_type
    tiles = [
        _change(Text("F1, all calls", "F1, 전체 통화"), before.f1, after.f1, digits=2),
        _change(
            Text("False alarms in 1,000 calls", "통화 1,000건당 오경보"),
            before.false_alarms_per_1000,
            after.false_alarms_per_1000,
            digits=1,
            more_is_better=False,
        ),
        _epsilon_tile(content),
    ]
    if unseen is None or unseen not in before.recall_by_type or unseen not in after.recall_by_type:
        return tiles
    kind = kinds.SCAM_TYPES[unseen].inside
    name = Text(f"Recall, {kind.en}", f"재현율, {kind.ko}")
    return [_change(name, before.recall_by_type[unseen], after.recall_by_type[unseen], digits=2), *tiles]


def _change(name: Text, old: float, new: float, *, digits: int, more_is_better: bool = True) -> Tile:
    """Make the tile of a figure that has a before."""
    first, last = decimal(old, digits), decimal(new, digits)
    if first == last:
        return Tile(name, first, last, None, Text("unchanged", "변화 없음"), None)
    better = (new > old) == more_is_better
    return Tile(name, first, last, better, Text("better", "나아짐") if better else Text("worse", "나빠짐"), None)


def _epsilon_tile(content: ReportContent) -> Tile:
    """Make the tile of the first privacy figure, with its mark where it is simulated."""
    if not content.privacy:
        return Tile(
            Text("Privacy", "개인정보 보호"), None, "–", None, Text("none in this run", "이 실행에는 없음"), None
        )
    first = findings.choose_headline(content.privacy)[0]
    unit, who = wording.UNITS[first.unit], wording.adversary_text(first)
    name = Text(f"Epsilon, {unit.en}", f"엡실론, {unit.ko}")
    note = Text(f"against {who.en}", f"{who.ko} 기준")
    return Tile(name, None, show_epsilon(first.epsilon), None, note, wording.simulated_mark(first))


def spoken_lines(detection: CallDetection) -> list[tuple[float | None, list[tuple[str, bool]]]]:
    """Return what was said, line by line with its second, each word with whether it was ever a key word."""
    keys = {word for window in detection.windows for word in window.key_tokens if word}
    timed: list[tuple[float | None, str]] = [(segment.start, segment.text) for segment in detection.call.segments]
    lines = timed or [(None, detection.call.transcript)]
    return [(start, [(word, any(key in word for key in keys)) for word in text.split()]) for start, text in lines]
