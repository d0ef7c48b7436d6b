"""Files that are whole or not there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from models.detector.model_file import write_bytes
from models.durable_file import append_durably, write_durably
from models.errors import ModelFileError


def test_a_file_is_written_with_its_folders_and_replaced_whole(tmp_path):
    path = tmp_path / "deep" / "file"
    write_durably(path, b"first and longer")
    write_durably(path, b"second")
    assert path.read_bytes() == b"second"
    assert os.listdir(path.parent) == ["file"]


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_failed_write_leaves_the_old_content_and_nothing_beside_it(tmp_path, monkeypatch, step):
    path = tmp_path / "file"
    write_durably(path, b"old")

    def fail(*_arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, step, fail)
    with pytest.raises(OSError, match="No space"):
        write_durably(path, b"new")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


def test_content_is_on_the_disk_before_the_file_takes_its_name(tmp_path, monkeypatch):
    steps = []
    sync, rename = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda handle: (steps.append("sync"), sync(handle)))
    monkeypatch.setattr(os, "replace", lambda old, new: (steps.append("rename"), rename(old, new)))
    write_durably(tmp_path / "file", b"content")
    assert steps == ["sync", "rename", "sync"]  # the file, its name, the folder that holds the name


def test_lines_are_added_one_after_another(tmp_path):
    path = tmp_path / "deep" / "lines"
    append_durably(path, b"one")
    append_durably(path, b"two")
    assert path.read_bytes() == b"one\ntwo\n"


def test_a_line_is_on_the_disk_when_appending_returns(tmp_path, monkeypatch):
    seen = []
    sync = os.fsync
    path = tmp_path / "lines"
    monkeypatch.setattr(os, "fsync", lambda handle: (seen.append(path.read_bytes()), sync(handle)))
    append_durably(path, b"one")
    assert seen == [b"one\n", b"one\n"]  # flushed to the file before each sync: of the file, of the folder


def test_what_is_no_regular_file_is_never_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(OSError, match="no regular file"):
        write_durably(pipe, b"new")
    with pytest.raises(ModelFileError, match="no regular file"):
        write_bytes(pipe, b"new")
    assert pipe.is_fifo()
