"""Frames over a pipe, as two processes share one."""

from __future__ import annotations

import os
from threading import Thread

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulations.frames import read_frame, write_frame


@pytest.fixture
def pipe():
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb"), os.fdopen(writing, "wb"):
        yield reading, writing


@given(frames=st.lists(st.lists(st.binary(max_size=40), max_size=4), min_size=1, max_size=5))
def test_what_is_read_is_what_was_written_part_by_part(frames):
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb"), os.fdopen(writing, "wb"):
        for parts in frames:
            write_frame(writing, *parts)
        assert [read_frame(reading) for _ in frames] == frames


def test_a_frame_larger_than_the_pipe_is_read_whole(pipe):
    reading, writing = pipe
    numbers = os.urandom(2_000_000)
    writer = Thread(target=write_frame, args=(writing, b"head", numbers, b"end"))
    writer.start()
    assert read_frame(reading) == [b"head", numbers, b"end"]
    writer.join()


def test_a_frame_of_more_parts_than_a_system_takes_at_once_is_written(pipe):
    reading, writing = pipe
    write_frame(writing, *[b"part"] * 3000)
    assert read_frame(reading) == [b"part"] * 3000


@pytest.mark.parametrize(
    "begun",
    [b"", b"\1", b"\1\0\0\0\5", b"\1\0\0\0\5" + bytes(7) + b"half"],
    ids=["nothing", "half a count", "half a size", "half"],
)
def test_a_writer_that_ended_is_an_end_and_no_frame(begun):
    reading, writing = os.pipe()
    os.write(writing, begun)
    os.close(writing)
    with os.fdopen(reading, "rb"), pytest.raises(EOFError):
        read_frame(reading)


def test_a_reader_that_ended_is_an_error():
    reading, writing = os.pipe()
    os.close(reading)
    with pytest.raises(OSError, match="pipe"):
        write_frame(writing, b"nobody")
    os.close(writing)
