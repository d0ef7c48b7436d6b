"""Frames over a pipe: whatever belongs together is written by one call, so that whoever waits for it is woken once."""

from __future__ import annotations

import os
import struct
from functools import lru_cache

_COUNT = struct.Struct("<I")

MOST_PARTS = 1000
"""So many, and a few more, a system takes at once (IOV_MAX of POSIX systems is 1024)."""


def write_frame(pipe: int, *parts: bytes) -> None:
    """Write a frame of parts. Large parts go into the pipe from where they lie.

    Args:
        pipe: Descriptor of its end.
        parts: What `read_frame` gives.

    Raises:
        OSError: Nobody reads any more.
    """
    frame = [_COUNT.pack(len(parts)), _sizes(len(parts)).pack(*map(len, parts)), *parts]
    if len(frame) > MOST_PARTS:
        frame = [b"".join(frame)]
    written = os.writev(pipe, frame)
    if written < sum(map(len, frame)):  # a signal came between
        left = memoryview(b"".join(frame))[written:]
        while left:
            left = left[os.write(pipe, left) :]


def read_frame(pipe: int) -> list[bytes]:
    """Return the next frame's parts.

    Raises:
        EOFError: Nobody writes any more.
    """
    (count,) = _COUNT.unpack(_read(pipe, _COUNT.size))
    sizes = _sizes(count)
    return [_read(pipe, size) for size in sizes.unpack(_read(pipe, sizes.size))]


@lru_cache
def _sizes(count: int) -> struct.Struct:
    return struct.Struct(f"<{count}Q")


def _read(pipe: int, size: int) -> bytes:
    read = _next(pipe, size) if size else b""
    if len(read) == size:
        return read  # as it came: joining would copy it
    parts, left = [read], size - len(read)
    while left:
        parts.append(_next(pipe, left))
        left -= len(parts[-1])
    return b"".join(parts)


def _next(pipe: int, most: int) -> bytes:
    read = os.read(pipe, most)
    if not read:
        raise EOFError
    return read
