"""The words that were spoken by a given second of a call."""

from __future__ import annotations

import numpy as np

from models.domain.call import Call, Segment
from models.text.clean import split_words

WINDOWS = (10, 20, 30, 60, 120, 180)
"""Seconds after which a growing call is judged; then every 60 s."""

_SECONDS = (0.0, 10.0, 20.0, 30.0, 60.0, 120.0, 180.0)
_MEAN_WORDS = (0.0, 15.0, 33.0, 51.0, 103.0, 207.0, 315.0)
_WORDS_A_SECOND_LATER = (_MEAN_WORDS[-1] - _MEAN_WORDS[-2]) / (_SECONDS[-1] - _SECONDS[-2])


def expected_words(seconds: float) -> int:
    """Return how many words are spoken by then: the mean of 283 time-stamped recordings (docs/architecture.md)."""
    if seconds > _SECONDS[-1]:
        return round(_MEAN_WORDS[-1] + (seconds - _SECONDS[-1]) * _WORDS_A_SECOND_LATER)
    return round(float(np.interp(seconds, _SECONDS, _MEAN_WORDS)))


def words_until(call: Call, seconds: float) -> list[str]:
    """Return the words spoken in the first seconds of a call.

    A segment that is cut by the end of the window gives the share of its words that its time allows. A call without
    time stamps is cut at the mean number of words spoken by then.
    """
    if not call.segments:
        return split_words(call.text)[: expected_words(seconds)]
    return [word for segment in call.segments for word in _words_of_segment(segment, seconds)]


def words_spoken(words: int, segment: Segment, seconds: float) -> int:
    """Return how many of a segment's words are spoken by then; it never falls as time goes on."""
    if segment.start >= seconds:
        return 0
    if segment.end <= seconds:
        return words
    share = (seconds - segment.start) / (segment.end - segment.start)
    return int(words * share)


def _words_of_segment(segment: Segment, seconds: float) -> list[str]:
    if segment.start >= seconds:
        return []
    words = split_words(segment.text)
    return words[: words_spoken(len(words), segment, seconds)]
