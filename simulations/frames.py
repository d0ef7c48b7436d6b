"""Frames over a pipe: whatever belongs together is written by one call, so that whoever waits for it is woken once."""

from __future__ import annotations

import os
import struct

_SIZE = struct.Struct("<Q")

MOST_PARTS = 1000
"""So many, and a few more, a system takes at once (IOV_MAX of POSIX systems is 1024)."""

Parts = tuple[bytes, ...]
"""What a frame holds, not yet put together."""


def write_frames(pipe: int, *frames: Parts) -> None:
    """Write frames, each the parts of it one after the other. Large parts go into the pipe from where they lie.

    Args:
        pipe: Descriptor of its end.
        frames: What `read_frame` gives, one by one.

    Raises:
        OSError: Nobody reads any more.
    """
    parts = [part for frame in frames for part in (_SIZE.pack(sum(map(len, frame))), *frame)]
    if len(parts) > MOST_PARTS:
        parts = [b"".join(parts)]
    written = os.writev(pipe, parts)
    if written < sum(map(len, parts)):  # a signal came between
        left = memoryview(b"".join(parts))[written:]
        while left:
            left = left[os.write(pipe, left) :]


def read_frame(pipe: int) -> bytes:
    """Return the next frame.

    Raises:
        EOFError: Nobody writes any more.
    """
    (size,) = _SIZE.unpack(_read(pipe, _SIZE.size))
    return _read(pipe, size)


def _read(pipe: int, size: int) -> bytes:
    read = _next(pipe, size)
    if len(read) == size:
        return read  # as it came: joining would copy it
    parts, left = [read], size - len(read)
    while left:
        parts.append(_next(pipe, left))
        left -= len(parts[-1])
    return b"".join(parts)


def _next(pipe: int, most: int) -> bytes:
    read = os.read(pipe, most)
    if most and not read:
        raise EOFError
    return read
