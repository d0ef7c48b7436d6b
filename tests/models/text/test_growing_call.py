from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from models.domain.call import Call, Label, Segment
from models.text.clean import split_words
from models.text.growing_call import GrowingCall
from models.text.window import expected_words, words_until


def words(count: int, first: int = 0) -> str:
    return " ".join(f"말{number}" for number in range(first, first + count))


def all_windows(call: Call) -> list[tuple[int, list[str]]]:
    growing = GrowingCall(call)
    windows = [growing.next_window()]
    while not growing.ended:
        windows.append(growing.next_window())
    return windows


@st.composite
def timed_calls(draw: st.DrawFn, overlapping: bool) -> Call:
    segments, at = [], 0.0
    for number in range(draw(st.integers(0, 8))):
        start = at + draw(st.floats(0, 30))
        end = start + draw(st.floats(0.5, 60))
        segments.append(Segment(start, end, words(draw(st.integers(0, 40)), 100 * number)))
        at = start if overlapping else end
    return Call("call", Label.NORMAL, tuple(segments))


def test_windows_come_at_10_20_30_60_120_180_and_then_every_minute() -> None:
    call = Call("call", Label.NORMAL, (Segment(0, 290, words(100)),))
    assert [seconds for seconds, _ in all_windows(call)] == [10, 20, 30, 60, 120, 180, 240, 300]


def test_a_short_call_ends_with_the_window_that_holds_its_last_word() -> None:
    call = Call("call", Label.NORMAL, (Segment(0, 25, words(50)),))
    assert [len(news) for _, news in all_windows(call)] == [20, 20, 10]


def test_a_call_without_times_grows_as_people_speak_on_average() -> None:
    call = Call("call", Label.NORMAL, text=words(60))
    windows = all_windows(call)
    assert [seconds for seconds, _ in windows] == [10, 20, 30, 60]
    assert len(windows[0][1]) == expected_words(10)
    assert " ".join(word for _, news in windows for word in news) == words(60)


def test_a_call_without_words_has_one_empty_window() -> None:
    assert all_windows(Call("call", Label.NORMAL, text="...")) == [(10, [])]


def test_silence_at_the_beginning_is_waited_for() -> None:
    call = Call("call", Label.NORMAL, (Segment(25, 29, words(4)),))
    assert [len(news) for _, news in all_windows(call)] == [0, 0, 4]


@given(timed_calls(overlapping=False))
def test_without_overlap_the_windows_together_are_the_words_until_then(call: Call) -> None:
    heard: list[str] = []
    for seconds, news in all_windows(call):
        heard += news
        assert heard == words_until(call, seconds)


@given(timed_calls(overlapping=True))
def test_with_overlap_every_word_comes_once_and_by_its_time(call: Call) -> None:
    heard: list[str] = []
    for seconds, news in all_windows(call):
        heard += news
        assert Counter(heard) == Counter(words_until(call, seconds))
    assert Counter(heard) == Counter(split_words(call.transcript))
