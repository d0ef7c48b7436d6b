"""What was said in a call, by kind: who the caller claims to be, what is asked for, which pressure or lure is used.

Only kinds and how often they came are kept, never the words. The words to look for were written for this project.
"""

from __future__ import annotations

import tomllib
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from itertools import accumulate
from pathlib import Path

from models.domain.call import ScamType

_ANYWHERE = "~"
_KEY_LETTERS = 2
"""Letters of the shortest pattern: few patterns share so many at their beginning."""


class Aspect(StrEnum):
    """What evidence tells of a call."""

    CALLER = "caller"
    REQUEST = "request"
    THREAT = "threat"
    LURE = "lure"


@dataclass(frozen=True, slots=True)
class Evidence:
    """A kind of evidence.

    Attributes:
        aspect: What it tells.
        name: Ours, not a word of the call; stands in the reason.
        rank: Place in the lexicon; of two callers named in one call, the earlier is rather the one claimed.
        points_to: Type of scam that it is rather heard in.
    """

    aspect: Aspect
    name: str
    rank: int
    points_to: ScamType = ScamType.UNKNOWN


@dataclass(frozen=True, slots=True)
class Lexicon:
    """Patterns to look for.

    Attributes:
        beginning: By their first two letters, those that stand at a word's beginning only.
        inside: Those that stand anywhere in a word.
        longest: Letters of the longest.
    """

    beginning: Mapping[str, Sequence[tuple[str, Evidence]]]
    inside: Sequence[tuple[str, Evidence]]
    longest: int


class EvidenceFinder:
    """Gathers the evidence of one call as it grows. Keeps counts and the last few letters, no more."""

    def __init__(self) -> None:
        self._lexicon = load_lexicon()
        self._counts: defaultdict[Evidence, int] = defaultdict(int)
        self._open = ""
        self._open_starts: list[int] = []

    def hear(self, words: Sequence[str]) -> None:
        """Take in the words spoken since the last time.

        Letters are joined over the spaces, so that wrong spacing hides nothing.
        """
        text = self._open + "".join(words)
        starts = [*self._open_starts, *accumulate(map(len, words), initial=len(self._open))][:-1]
        spoken = " ".join(words)
        for pattern, evidence in self._lexicon.inside:
            if pattern in spoken:
                self._counts[evidence] += spoken.count(pattern)
        # A pattern may go on in words that are yet to come: its beginning waits until it can't.
        settled = bisect_right(starts, len(text) - self._lexicon.longest)
        self._count_beginning(text, starts[:settled], self._counts)
        kept_from = starts[settled] if settled < len(starts) else len(text)
        self._open, self._open_starts = text[kept_from:], [start - kept_from for start in starts[settled:]]

    @property
    def found(self) -> tuple[Evidence, ...]:
        """What was found so far, the most frequent first; equally frequent kinds go by the lexicon's order."""
        counts = self._counts.copy()
        self._count_beginning(self._open, self._open_starts, counts)
        return tuple(sorted(counts, key=lambda evidence: (-counts[evidence], evidence.rank)))

    def _count_beginning(self, text: str, starts: Sequence[int], counts: defaultdict[Evidence, int]) -> None:
        patterns = self._lexicon.beginning
        for start in starts:
            key = text[start : start + _KEY_LETTERS]
            if key in patterns:
                for pattern, evidence in patterns[key]:
                    if text.startswith(pattern, start):
                        counts[evidence] += 1


@cache
def load_lexicon() -> Lexicon:
    """Return the lexicon that ships with the detector."""
    text = Path(__file__).with_name("evidence.toml").read_text(encoding="utf-8")
    beginning: dict[str, list[tuple[str, Evidence]]] = defaultdict(list)
    inside: list[tuple[str, Evidence]] = []
    longest = 0
    for rank, kind in enumerate(tomllib.loads(text)["evidence"]):
        evidence = Evidence(Aspect(kind["aspect"]), kind["name"], rank, ScamType(kind.get("points_to", "unknown")))
        for written in kind["patterns"].split():
            pattern = written.removeprefix(_ANYWHERE)
            side = inside if written.startswith(_ANYWHERE) else beginning[pattern[:_KEY_LETTERS]]
            side.append((pattern, evidence))
            longest = max(longest, len(pattern))
    return Lexicon(dict(beginning), inside, longest)
