"""A matplotlib figure as inline SVG that takes its colours, fonts and language from the page it stands in.

Matplotlib writes colours and fonts into style attributes, which the page's content security policy refuses and which
could not follow the reader's dark mode. So figures are drawn with the stand-in colours of `Ink`, which become classes
of the page's style sheet here, and with words registered in `Words`, which become one text element for each language.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Any
from xml.etree import ElementTree

from markupsafe import Markup
from matplotlib import rc_context
from matplotlib.figure import Figure

from models.page.text import Text

WIDTH = 400
"""Width of every picture in its own units, near the width of a phone, so that its words stay readable there."""

SVG = "http://www.w3.org/2000/svg"
XLINK_HREF = "{http://www.w3.org/1999/xlink}href"
REFERENCE = re.compile(r"#([A-Za-z0-9_.-]+)")


class Ink(StrEnum):
    """Stand-in colours; each becomes the class of the same name, which the style sheet colours for light and dark."""

    INK = "#000001"
    MUTED = "#000002"
    LINE = "#000003"
    ACCENT = "#000004"
    ALERT = "#000005"
    BEFORE = "#000006"
    PAPER = "#000007"


STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "hearsay",
    "font.size": 12,
    "text.color": Ink.INK,
    "axes.labelcolor": Ink.MUTED,
    "axes.edgecolor": Ink.LINE,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "grid.color": Ink.LINE,
    "grid.linewidth": 0.8,
    "xtick.color": Ink.MUTED,
    "ytick.color": Ink.MUTED,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "xtick.minor.size": 0,
    "ytick.minor.size": 0,
    "lines.linewidth": 2.2,
    "lines.solid_capstyle": "round",
}


class Words:
    """The words of one picture: a figure holds a key for each, and the page both languages."""

    def __init__(self) -> None:
        self._texts: list[Text] = []

    def key(self, text: Text) -> str:
        """Register words and return what to draw in their place."""
        self._texts.append(text)
        return f"@{len(self._texts) - 1}@"

    def find(self, drawn: str | None) -> Text | None:
        """Return the words that a key stands for; ``None`` for anything else, such as a number."""
        match = re.fullmatch(r"@(\d+)@", drawn or "")
        return self._texts[int(match[1])] if match else None


@contextmanager
def drawing_style() -> Iterator[None]:
    """Draw with this page's style; other users of matplotlib in the process keep theirs."""
    with rc_context(STYLE):
        yield


def new_figure(height: int) -> Figure:
    """Return an empty figure of the page's width and a height in the same units."""
    return Figure(figsize=(WIDTH / 72, height / 72))


def inline_svg(figure: Figure, words: Words, name: str) -> Markup:
    """Return a figure as an SVG element, equal for equal figures.

    Args:
        figure: Drawn in `drawing_style` with the colours of `Ink`.
        words: What its keys stand for.
        name: Unique in the page; the caption has the id ``NAME-caption`` and the description ``NAME-text``.
    """
    written = io.BytesIO()
    figure.savefig(written, format="svg", transparent=True, metadata={"Date": None})
    root = ElementTree.fromstring(written.getvalue())  # noqa: S314 - matplotlib wrote it a line above
    _drop_furniture(root)
    _scope_ids(root, name)
    for element in list(root.iter()):
        _use_classes(element)
    for parent in list(root.iter()):
        _speak_both(parent, words)
    root.attrib = {
        "viewBox": root.attrib["viewBox"],
        "role": "img",
        "aria-labelledby": f"{name}-caption",
        "aria-describedby": f"{name}-text",
    }
    return Markup(_serialise(root))  # noqa: S704 - an element tree escapes what it writes


def _drop_furniture(root: ElementTree.Element) -> None:
    """Drop metadata and the style element, whose rule would reach the whole page."""
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag not in {
                f"{{{SVG}}}{name}" for name in ("g", "path", "use", "text", "defs", "clipPath", "rect")
            }:
                parent.remove(child)


def _scope_ids(root: ElementTree.Element, name: str) -> None:
    """Keep only ids that something refers to, and make them unique in the page."""
    referring = ("clip-path", XLINK_HREF)
    used = {m for e in root.iter() for key in referring for m in REFERENCE.findall(e.attrib.get(key, ""))}
    for element in root.iter():
        own = element.attrib.pop("id", "")
        if own in used:
            element.attrib["id"] = f"{name}-{own}"
        for key in referring:
            if key in element.attrib:
                value = REFERENCE.sub(rf"#{name}-\1", element.attrib.pop(key))
                element.attrib["href" if key == XLINK_HREF else key] = value


def _use_classes(element: ElementTree.Element) -> None:
    """Turn a style attribute into classes, where it names an `Ink`, and into attributes elsewhere."""
    classes = []
    for declaration in filter(None, element.attrib.pop("style", "").split(";")):
        name, value = (part.strip() for part in declaration.split(":", 1))
        if name in ("fill", "stroke") and value.startswith("#"):
            classes.append(f"{name}-{Ink(value).name.lower()}")
        elif name not in ("font-family", "font"):
            element.attrib[name] = value
    if classes:
        element.attrib["class"] = " ".join(classes)


def _speak_both(parent: ElementTree.Element, words: Words) -> None:
    """Replace a key by one text element for each language; plain numbers stay as they are."""
    for child in list(parent):
        text = words.find(child.text)
        if text is None:
            continue
        korean, base = ElementTree.Element(child.tag, dict(child.attrib)), child.attrib.get("class", "")
        for element, language, said in ((child, "en", text.en), (korean, "ko", text.ko)):
            element.text = said
            element.attrib |= {"lang": language, "class": f"{base} in-{language}".strip()}
        parent.insert(list(parent).index(child) + 1, korean)


def _serialise(root: ElementTree.Element) -> str:
    """Write the element without name-space prefixes, as HTML wants it."""
    for element in root.iter():
        element.tag = element.tag.removeprefix(f"{{{SVG}}}")
        element.tail = None
        element.text = (element.text or "").strip() if element.tag == "text" else None
        for name in ("d", "points"):
            if name in element.attrib:
                element.attrib[name] = " ".join(element.attrib[name].split())
    return ElementTree.tostring(root, encoding="unicode", short_empty_elements=False)
