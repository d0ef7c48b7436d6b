"""Compiled functions are kept where they can be, and compiled anew where what was kept is of no use."""

from __future__ import annotations

import os
import resource
from pathlib import Path
from typing import Any

import pytest

from models.detector import compiling

SOURCE = """
from models.detector.compiling import compiled_with

@compiled_with("contract")
def times(x):
    return {} * x
"""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Return a module's file whose function doubles."""
    path = tmp_path / "multiplying.py"
    path.write_text(SOURCE.format(2))
    return path


def as_new(source: Path) -> Any:
    """Return the function as a process that just began has it."""
    module: dict[str, Any] = {"__name__": "multiplying"}
    exec(compile(source.read_text(), source, "exec"), module)
    return module["times"]


def was_kept(function: Any) -> bool:
    return bool(function.stats.cache_hits)


def test_what_was_compiled_is_kept(source: Path) -> None:
    first, second = as_new(source), as_new(source)
    assert first(21) == second(21) == 42
    assert (was_kept(first), was_kept(second)) == (False, True)


@pytest.mark.parametrize("kind", ["nbi", "nbc"])
@pytest.mark.parametrize("left", [0, 100])
def test_half_a_file_is_compiled_anew_and_kept_again(source: Path, kind: str, left: int) -> None:
    as_new(source)(21)
    (kept,) = (source.parent / "__pycache__").glob(f"*.{kind}")
    kept.write_bytes(kept.read_bytes()[:left])
    again, later = as_new(source), as_new(source)
    assert again(21) == later(21) == 42
    assert (was_kept(again), was_kept(later)) == (False, True)


def test_another_source_of_the_same_age_and_size_is_compiled_anew(source: Path) -> None:
    as_new(source)(21)
    before = source.stat()
    source.write_text(SOURCE.format(3))
    os.utime(source, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert source.stat().st_size == before.st_size
    assert as_new(source)(21) == 63


def test_a_full_disk_keeps_nothing_and_stops_nothing(source: Path) -> None:
    function, limits = as_new(source), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8, limits[1]))
    try:
        assert function(21) == 42
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert as_new(source)(21) == 42


def test_where_no_folder_can_be_written_functions_are_compiled_all_the_same(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compiling._NamedBySource, "_locator_classes", [])
    assert as_new(source)(21) == 42
    assert not (source.parent / "__pycache__").exists()


def test_nothing_is_kept_in_a_folder_of_the_persons(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiling.InTreeCacheLocator, "from_function", lambda *_: None)
    monkeypatch.setenv("HOME", str(source.parent / "home"))
    assert as_new(source)(21) == 42
    assert [path.name for path in source.parent.iterdir()] == ["multiplying.py"]
