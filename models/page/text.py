"""Words of a page in its two languages, and how pages print numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

NO_BREAK = "\N{NO-BREAK SPACE}"
"""Keeps a number and its unit on one line."""


@dataclass(frozen=True, slots=True)
class Text:
    """The same words in English and Korean. A template that prints it gets both; the page shows one."""

    en: str
    ko: str

    def __html__(self) -> Markup:
        both = '<span class="in-en" lang="en">{}</span><span class="in-ko" lang="ko">{}</span>'
        return Markup(both).format(self.en, self.ko)  # noqa: S704 - a constant; what is put in is escaped

    def __add__(self, other: Text) -> Text:
        return Text(self.en + other.en, self.ko + other.ko)

    @property
    def inside(self) -> Text:
        """The same words inside a sentence, where English begins them small."""
        return Text(self.en[:1].lower() + self.en[1:], self.ko)


def join_words(words: Sequence[str]) -> str:
    """Join words as English lists them: ``a, b and c``."""
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last


def decimal(value: float, digits: int = 2) -> str:
    """Print a number with so many digits after the point, never a negative zero."""
    printed = f"{value:,.{digits}f}"
    return printed.removeprefix("-") if not printed.strip("-0.,") else printed


def percent(share: float) -> str:
    """Print a share as whole percent, with one digit below ten."""
    return f"{decimal(share * 100, 0 if abs(share) >= 0.0995 else 1)}%"


def file_size(size: int) -> str:
    """Print bytes as people read them, in decimal units."""
    if size >= 1_000_000:
        return f"{decimal(size / 1_000_000)}{NO_BREAK}MB"
    return f"{decimal(size / 1000, 1)}{NO_BREAK}kB" if size >= 1000 else f"{size}{NO_BREAK}B"


def small(value: float) -> str:
    """Print a small probability such as a delta as a power of ten: ``1e-6``."""
    mantissa, exponent = f"{value:.2g}".split("e") if value and value < 1e-4 else (f"{value:g}", "")
    return f"{mantissa}e{int(exponent)}" if exponent else mantissa
