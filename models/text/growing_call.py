"""A recorded call given out as it grew: each word once, when it was spoken."""

from __future__ import annotations

from models.domain.call import Call
from models.text.clean import split_words
from models.text.window import WINDOWS, expected_words, words_spoken

_LATER_STEP_SECONDS = 60


class GrowingCall:
    """Gives the words of a call window by window.

    Where speakers talk over one another a window's end can cut two segments; what was cut comes in the next window,
    so the order is that of hearing. Without overlap all windows together are exactly ``words_until``.
    """

    def __init__(self, call: Call) -> None:
        self._segments = [(segment, split_words(segment.text)) for segment in call.segments]
        self._untimed = [] if call.segments else split_words(call.text)
        self._given = [0] * len(self._segments) if self._segments else [0]
        self._seconds = 0

    @property
    def ended(self) -> bool:
        """Whether every word was given out."""
        if self._segments:
            return all(given == len(words) for given, (_, words) in zip(self._given, self._segments, strict=True))
        return self._given[0] == len(self._untimed)

    def next_window(self) -> tuple[int, list[str]]:
        """Return the second of the next judgement and the words spoken since the one before."""
        self._seconds = _window_after(self._seconds)
        spoken = self._spoken_by(self._seconds)
        sources = [words for _, words in self._segments] if self._segments else [self._untimed]
        news = [
            word for words, before, now in zip(sources, self._given, spoken, strict=True) for word in words[before:now]
        ]
        self._given = spoken
        return self._seconds, news

    def _spoken_by(self, seconds: int) -> list[int]:
        if self._segments:
            return [words_spoken(len(words), segment, seconds) for segment, words in self._segments]
        return [min(expected_words(seconds), len(self._untimed))]


def _window_after(seconds: int) -> int:
    return next((window for window in WINDOWS if window > seconds), seconds + _LATER_STEP_SECONDS)
