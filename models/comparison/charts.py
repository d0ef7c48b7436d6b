"""The pictures of the comparison's page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from models.comparison import characters, encoder, networks, trees
from models.comparison.protocol import FLIPS_AT
from models.comparison.rows import ROWS
from models.page.picture import DASHED, DOTTED, ROUND_STEPS, Key, Margins, Picture, draw, lay_rows
from models.page.text import Text, percent
from models.page.vector import Ink, Words

_SOLID = "solid"
LINES = {
    networks.ATTENTION: (Ink.ACCENT, _SOLID, "line accent"),
    networks.ALONE: (Ink.ACCENT, DASHED, "line accent dashed"),
    networks.MEAN_POOLING: (Ink.ACCENT, DOTTED, "line accent dotted"),
    trees.LIGHTGBM: (Ink.BEFORE, DASHED, "line before dashed"),
    trees.CATBOOST: (Ink.BEFORE, DOTTED, "line before dotted"),
    characters.ROW: (Ink.ALERT, DASHED, "line alert dashed"),
    encoder.ROW: (Ink.INK, DOTTED, "line ink dotted"),
}
"""Ink, line and key of each row that is drawn; INT8 lies on FP32 and is left out."""

FLIP_KEYS = (
    Key("dot hollow before", Text(f"{FLIPS_AT[0]} s", f"{FLIPS_AT[0]}초")),
    Key("dot accent", Text(f"{FLIPS_AT[1]} s", f"{FLIPS_AT[1]}초")),
)


def draw_accuracy(rows: Sequence[Any], part: str, name: Text) -> Picture:
    """Draw F1 by seconds of call, a line a row."""
    shown = [row for row in rows if row["name"] in LINES]
    curves = {row["name"]: [window[part]["f1"] for window in row["windows"]] for row in shown}
    seconds = [window["seconds"] for window in rows[0]["windows"]]

    def plot(axes: Axes, words: Words) -> None:
        for row, values in reversed(curves.items()):  # the detector's line on top
            ink, line, _ = LINES[row]
            points = [_or_gap(value) for value in values]
            axes.plot(range(len(seconds)), points, color=ink, linestyle=line, marker="o", markersize=4)
        axes.set_xticks(range(len(seconds)), [f"{second:g}" for second in seconds])
        axes.set_xlabel(words.key(Text("seconds into the call", "통화 경과 시간 (초)")))
        axes.set_ylim(_floor(curves.values()), 1.005)

    return Picture(
        f"f1-{part}",
        draw(f"f1-{part}", 240, plot, Margins(left=44)),
        Text(f"F1, {name.inside.en}", f"F1, {name.ko}"),
        Text(*(_spoken(curves, seconds, language) for language in ("en", "ko"))),
        tuple(Key(LINES[row][2], ROWS[row].title) for row in curves),
    )


def _or_gap(value: float | None) -> float:
    return float("nan") if value is None else value


def _floor(curves: Any) -> float:
    """Return where the axis begins: a little under the lowest point."""
    lowest = min((value for values in curves for value in values if value is not None), default=0.0)
    return max(0.0, lowest - 0.02)


def _spoken(curves: dict[str, list[float | None]], seconds: Sequence[float], language: str) -> str:
    unit = " s" if language == "en" else "초"
    lines = []
    for row, values in curves.items():
        points = [f"{second:g}{unit} {_or_gap(value):.3f}" for second, value in zip(seconds, values, strict=True)]
        lines.append(f"{getattr(ROWS[row].title, language)}: {', '.join(points)}")
    return "; ".join(lines)


def draw_flips(rows: Sequence[Any]) -> Picture:
    """Draw the share of verdicts that a change flipped, at both windows, a line a row."""
    shares = {row["name"]: [flips["all"]["share"] for flips in row["counterfactual"]] for row in rows}

    def plot(axes: Axes, words: Words) -> None:
        for place, (early, late) in enumerate(shares.values()):
            _plot_flips(axes, place, early or 0.0, late or 0.0)
        lay_rows(axes, [words.key(ROWS[row].title) for row in shares])
        axes.set_xlim(left=0)
        axes.tick_params(axis="y", labelcolor=Ink.INK)
        axes.xaxis.set_major_locator(MaxNLocator(4, steps=ROUND_STEPS))
        axes.xaxis.set_major_formatter(lambda share, _: f"{100 * share:.3g}%")

    return Picture(
        "flips",
        draw("flips", 44 + 30 * len(shares), plot, Margins(left=176, right=24, bottom=32, top=6)),
        Text("Verdicts that a change flipped", "문구 변경으로 뒤집힌 판정"),
        Text(
            "; ".join(f"{ROWS[row].title.en}: {_pair(early, late)}" for row, (early, late) in shares.items()),
            "; ".join(f"{ROWS[row].title.ko}: {_pair(early, late)}" for row, (early, late) in shares.items()),
        ),
        FLIP_KEYS,
    )


def _pair(early: float | None, late: float | None) -> str:
    return f"{percent(early or 0.0)}, {percent(late or 0.0)}"


def _plot_flips(axes: Axes, row: int, early: float, late: float) -> None:
    axes.plot([early, late], [row, row], color=Ink.BEFORE, linewidth=2, alpha=0.6)
    hollow: dict[str, Any] = {"markerfacecolor": Ink.PAPER, "markeredgecolor": Ink.BEFORE, "markeredgewidth": 2}
    full: dict[str, Any] = {"markerfacecolor": Ink.ACCENT, "markeredgecolor": Ink.PAPER, "markeredgewidth": 1}
    for share, style in ((early, hollow), (late, full)):
        axes.plot(share, row, "o", markersize=9, clip_on=False, **style)
