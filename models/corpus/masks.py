"""Masks: what stands in an imported call where a person could have been told from it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from tomllib import loads
from typing import Any

SEAM = "\ue010"
"""Private-use character between the segments of a call, so that what two segments share is found; never in a result."""

LINE_START = rf"(?:(?<=\n)|(?<={SEAM})|^)"

_FILE = Path(__file__).parent / "identifiers.toml"


class Identifier(StrEnum):
    """What was masked; the value stands in the text as ``<value>``."""

    RESIDENT = "주민번호"
    CARD = "카드번호"
    ACCOUNT = "계좌번호"
    PHONE = "전화번호"
    NUMBER = "번호"
    NAME = "이름"
    EMAIL = "이메일"
    LINK = "링크"
    ANONYMOUS = "익명"


MARK = "transcriber's mark"
"""How a mark that was taken out is counted; it was never spoken, so nothing stands in its place."""

MASKED = re.compile(rf"<(?:{'|'.join(Identifier)})>")


class Masker:
    """Puts masks in place of what a pattern finds, and counts them."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def mask(self, kind: Identifier, found: str) -> str:
        """Return the mask for a piece of text, with the seams that stood in it."""
        self.counts[kind] += 1
        return f"<{kind}>" + SEAM * found.count(SEAM)

    def remove(self, found: str) -> str:
        """Return what stays of a transcriber's mark: a space, and the seams that stood in it."""
        self.counts[MARK] += 1
        return SEAM * found.count(SEAM) or " "

    def masking(self, kind: Identifier) -> Callable[[re.Match[str]], str]:
        """Return a replacement for ``re.sub`` that masks the whole match."""
        return lambda found: self.mask(kind, found[0])


@lru_cache(maxsize=1)
def read_identifiers() -> dict[str, Any]:
    """Return the tables of ``identifiers.toml``."""
    return loads(_FILE.read_text(encoding="utf-8"))


def one_of(words: list[str]) -> str:
    """Return a pattern that matches one of the words, the longest that fits."""
    return "|".join(sorted(words, key=len, reverse=True))
