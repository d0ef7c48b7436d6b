"""What was said in a call, by kind: who the caller claims to be, what is asked for, which pressure or lure is used.

Only kinds and how often they came are kept, never the words. The words to look for were written for this project.
"""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path

_ANYWHERE = "~"


class Aspect(StrEnum):
    """What evidence tells of a call."""

    CALLER = "caller"
    REQUEST = "request"
    THREAT = "threat"
    LURE = "lure"


@dataclass(frozen=True, slots=True)
class Evidence:
    """A kind of evidence. ``name`` is ours, not a word of the call."""

    aspect: Aspect
    name: str


@dataclass(frozen=True, slots=True)
class Pattern:
    """What is looked for. ``anywhere``: also inside a word, else only from a word's beginning on."""

    text: str
    anywhere: bool
    evidence: Evidence


class EvidenceFinder:
    """Gathers the evidence of one call as it grows. Keeps counts and the last few letters, no more."""

    def __init__(self) -> None:
        self._counts: Counter[Evidence] = Counter()
        self._open = ""
        self._open_starts: list[int] = []

    def hear(self, words: Sequence[str]) -> None:
        """Take in the words spoken since the last time."""
        ends = _longest_pattern()
        text = self._open + "".join(words)
        starts, at = self._open_starts[:], len(self._open)
        for word in words:
            starts.append(at)
            at += len(word)
            self._find_inside(word)
        # A pattern may still go on in words that are yet to come: its beginning waits until it can't.
        waiting = [start for start in starts if len(text) - start < ends]
        for start in starts[: len(starts) - len(waiting)]:
            self._find_from(text, start)
        kept_from = waiting[0] if waiting else len(text)
        self._open, self._open_starts = text[kept_from:], [start - kept_from for start in waiting]

    @property
    def found(self) -> tuple[Evidence, ...]:
        """What was found so far, the most frequent first; equally frequent kinds go by the lexicon's order."""
        counts = self._counts.copy()
        for start in self._open_starts:
            counts.update(_matches(self._open, start))
        places = {evidence: place for place, evidence in enumerate(_kinds())}
        return tuple(sorted(counts, key=lambda evidence: (-counts[evidence], places[evidence])))

    def _find_from(self, text: str, start: int) -> None:
        self._counts.update(_matches(text, start))

    def _find_inside(self, word: str) -> None:
        for start, letter in enumerate(word):
            for pattern in _patterns().get(letter, ()):
                if pattern.anywhere and word.startswith(pattern.text, start):
                    self._counts[pattern.evidence] += 1


def _matches(text: str, start: int) -> list[Evidence]:
    patterns = _patterns().get(text[start : start + 1], ())
    return [p.evidence for p in patterns if not p.anywhere and text.startswith(p.text, start)]


@cache
def _kinds() -> tuple[Evidence, ...]:
    return tuple(dict.fromkeys(pattern.evidence for pattern in _lexicon()))


@cache
def _longest_pattern() -> int:
    return max(len(pattern.text) for pattern in _lexicon())


@cache
def _patterns() -> Mapping[str, tuple[Pattern, ...]]:
    by_letter: dict[str, tuple[Pattern, ...]] = {}
    for pattern in _lexicon():
        first = pattern.text[0]
        by_letter[first] = (*by_letter.get(first, ()), pattern)
    return by_letter


@cache
def _lexicon() -> tuple[Pattern, ...]:
    text = Path(__file__).with_name("evidence.toml").read_text(encoding="utf-8")
    return tuple(
        Pattern(
            pattern.removeprefix(_ANYWHERE),
            pattern.startswith(_ANYWHERE),
            Evidence(Aspect(kind["aspect"]), kind["name"]),
        )
        for kind in tomllib.loads(text)["evidence"]
        for pattern in kind["patterns"].split()
    )
