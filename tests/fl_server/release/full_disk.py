"""A disk that fills up while the registry is written."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest


@contextmanager
def disk_full_after(files: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let only some more files, each with its folder, reach the disk."""
    real, left = os.fsync, [2 * files]

    def fsync(descriptor: int) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(28, "No space left on device")
        real(descriptor)

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", fsync)
        yield
