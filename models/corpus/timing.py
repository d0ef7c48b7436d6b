"""When the words of a call are spoken: segments with seconds, at the pace of real calls."""

from __future__ import annotations

import random
from collections.abc import Sequence

from models.domain.call import Segment

_WORDS_A_SECOND = 1.83
"""Median pace without pauses; with them 30 s hold 51 words, as in real calls (docs/architecture.md)."""

_SPREAD_BETWEEN_CALLS = 0.19
_SPREAD_WITHIN_A_CALL = 0.28
"""Standard deviations of the logarithm of the pace; the first gives the real 95 % quantile of 69 words at 30 s."""

_LONGEST_SEGMENT = 24
_SHORT_TURN = 3
"""Words; a turn this short may be heard while the other still speaks."""


def lay_out(turns: Sequence[Sequence[str]], rng: random.Random) -> tuple[Segment, ...]:
    """Return segments for the words of each turn, in order of start, from second 0 on.

    A call has its own pace, every segment varies around it, most follow one another without a pause, and a short turn
    may overlap the end of the one before. Seconds are rounded to hundredths.
    """
    pace = _WORDS_A_SECOND * rng.lognormvariate(0.0, _SPREAD_BETWEEN_CALLS)
    segments: list[Segment] = []
    clock = 0.0
    for words in turns:
        for piece in _pieces(words, rng):
            start = _start(clock, segments, piece, rng)
            spoken_for = len(piece) / (pace * rng.lognormvariate(0.0, _SPREAD_WITHIN_A_CALL))
            segments.append(Segment(round(start, 2), round(start + spoken_for, 2), " ".join(piece)))
            clock = max(clock, start + spoken_for)
    return tuple(segments)


def _start(clock: float, segments: Sequence[Segment], piece: Sequence[str], rng: random.Random) -> float:
    if segments and len(piece) <= _SHORT_TURN and rng.random() < 0.2:
        return max(segments[-1].start, clock - rng.uniform(0.1, 0.6))
    return clock + (rng.expovariate(1 / 0.7) if segments and rng.random() < 0.2 else 0.0)


def _pieces(words: Sequence[str], rng: random.Random) -> list[Sequence[str]]:
    """Cut a turn into segments of up to ``_LONGEST_SEGMENT`` words."""
    pieces = []
    place = 0
    while place < len(words):
        length = min(_LONGEST_SEGMENT, 3 + round(rng.expovariate(1 / 8)))
        pieces.append(words[place : place + length])
        place += length
    return pieces
