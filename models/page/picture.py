"""A picture of the page with everything that stands around it, and what all pictures are drawn alike with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from models.page.text import Text
from models.page.vector import WIDTH, Words, drawing_style, inline_svg, new_figure

ROUND = Text("round", "라운드")
ROUND_STEPS = [1, 2, 5, 10]
"""Ticks count in steps that people count in."""

DASHED = (0, (5, 2))
DOTTED = (0, (1, 1.6))

Plot = Callable[[Axes, Words], None]


@dataclass(frozen=True, slots=True)
class Key:
    """One entry of a picture's key: the class of its swatch, and what it stands for."""

    swatch: str
    text: Text


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture, what it shows in a line, the same in words for who can't see it, and its key."""

    name: str
    svg: Markup
    caption: Text
    description: Text
    keys: tuple[Key, ...]


@dataclass(frozen=True, slots=True)
class Margins:
    """Room around the axes for their words, in the picture's units."""

    left: int = 40
    right: int = 14
    bottom: int = 42
    top: int = 10


def draw(name: str, height: int, plot: Plot, margins: Margins | None = None) -> Markup:
    """Draw on one pair of axes and return the SVG; the height is in the picture's units."""
    room = margins or Margins()
    with drawing_style():
        words, figure = Words(), new_figure(height)
        wide, high = WIDTH - room.left - room.right, height - room.bottom - room.top
        axes = figure.add_axes((room.left / WIDTH, room.bottom / height, wide / WIDTH, high / height))
        axes.yaxis.set_major_locator(MaxNLocator(4, steps=ROUND_STEPS))
        plot(axes, words)
        return inline_svg(figure, words, name)


def lay_rows(axes: Axes, labels: Sequence[str]) -> None:
    """Turn the axes into rows from the top down, one a label, with a grid of upright lines."""
    axes.grid(visible=False, axis="y")
    axes.grid(visible=True, axis="x")
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.set_yticks(range(len(labels)), labels)


def label_rounds(axes: Axes, words: Words, first: int, last: int) -> None:
    """Number the rounds in whole numbers, with half a round of room at either end."""
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True, steps=ROUND_STEPS, min_n_ticks=1))
    axes.set_xlim(first - 0.6, last + 0.6)
    axes.set_xlabel(words.key(ROUND))


def describe_progress(en: str, ko: str, values: Sequence[float]) -> Text:
    """Describe a line by where it starts and ends and how far it goes."""
    first, last, low, high = values[0], values[-1], min(values), max(values)
    return Text(
        f"{en}: {first:.2f} at the start, {last:.2f} at the end, between {low:.2f} and {high:.2f}",
        f"{ko}: 시작 {first:.2f}, 끝 {last:.2f}, 범위 {low:.2f}~{high:.2f}",
    )
