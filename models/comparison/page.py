"""The comparison as one HTML file: made from the figures alone, so that a saved JSON gives the page again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from models.comparison.charts import draw_accuracy, draw_flips
from models.comparison.rows import ROWS
from models.corpus.counterfactual import ALL_ADDED, KEYWORDS, STRONGEST_REMOVED
from models.page.document import Language, page_environment, render_page
from models.page.text import Text, decimal

MAIN_WINDOW = 30
"""Seconds that the page leads with: the paper's, and early enough to hang up."""

PARTS = {
    "all": Text("All calls", "전체 통화"),
    "timed": Text("Calls with seconds", "시간 정보가 있는 통화"),
    "others": Text("Calls without seconds", "시간 정보가 없는 통화"),
}
CHANGES = {f"{word} added": Text(f"{word} added", f"{word} 추가") for word in KEYWORDS} | {
    ALL_ADDED: Text("all five added", "다섯 단어 모두 추가"),
    STRONGEST_REMOVED: Text("strongest words removed", "강한 단어 제거"),
}


def render_comparison(figures: Mapping[str, Any], language: Language = "en") -> str:
    """Render the page of a comparison: self-contained, it loads nothing and runs no script.

    Args:
        figures: As `compare_peers` returns them, or as read from the JSON it wrote.
        language: The language that the page opens in; the reader may switch to the other.
    """
    rows = [row for row in figures["rows"] if not row["skipped"]]
    parts = _parts(figures)
    environment = page_environment("models.comparison")
    environment.filters |= {"score": _score, "count": _count, "milliseconds": _milliseconds, "chance": _chance}
    return render_page(
        environment,
        "comparison.html.j2",
        language,
        figures=figures,
        rows=rows,
        titles={name: row.title for name, row in ROWS.items()},
        parts=parts,
        best=_best(rows, parts),
        changes=CHANGES,
        accuracy={part: draw_accuracy(rows, part, text) for part, text in parts.items()},
        flips=draw_flips(rows) if rows else None,
        main=_window(rows),
        headline=_headline(rows),
    )


def _parts(figures: Mapping[str, Any]) -> dict[str, Text]:
    """Return the parts to show: all calls, and the two others where both have calls."""
    if all(row["skipped"] for row in figures["rows"]):
        return {}
    return PARTS if 0 < figures["calls"]["timed"] < figures["calls"]["n"] else {"all": PARTS["all"]}


def _best(rows: list[Any], parts: Mapping[str, Text]) -> dict[tuple[str, float], float]:
    """Return the highest F1 by part and window."""
    return {
        (part, window["seconds"]): max(row["windows"][at][part]["f1"] or 0.0 for row in rows)
        for part in parts
        for at, window in enumerate(rows[0]["windows"])
    }


def _window(rows: list[Any]) -> int:
    """Return the place of the window that the page leads with."""
    seconds = [window["seconds"] for window in rows[0]["windows"]] if rows else []
    return seconds.index(MAIN_WINDOW) if MAIN_WINDOW in seconds else 0


def _headline(rows: list[Any]) -> Text:
    """Say who does best at the main window, as it was measured."""
    at = _window(rows)
    ranked = sorted(rows, key=lambda row: -(row["windows"][at]["all"]["f1"] or 0.0))
    if not ranked:
        return Text("Nothing was measured", "측정된 항목이 없습니다")
    best, seconds = ranked[0], f"{ranked[0]['windows'][at]['seconds']:g}"
    title, f1 = ROWS[best["name"]].title, _score(best["windows"][at]["all"]["f1"])
    return Text(
        f"After {seconds} s {title.en} leads: F1 {f1}",
        f"통화 {seconds}초, F1 최고는 {title.ko}: {f1}",
    )


def _score(value: float | None) -> str:
    return "–" if value is None else decimal(value, 3)


def _count(value: float | None) -> str:
    """Print a whole number, or a large one in powers of ten."""
    if value is None:
        return "–"
    return f"{value:,.0f}" if value < 1e6 else f"{value:.2e}".replace("e+0", "e")


def _milliseconds(value: float) -> str:
    return decimal(value, 2 if value < 10 else 1)


def _chance(value: float) -> str:
    return decimal(value, 3) if value >= 0.001 else f"{value:.1e}"
