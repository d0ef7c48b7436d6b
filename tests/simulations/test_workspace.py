"""The folder of a run: what is gone on with, what is started over, and what is never touched."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from models.errors import BadInputError, CheckpointError
from simulations.workspace import Workspace, open_workspace

KEPT = "federation/server/round-0001.npz"


def begun(root: Path, *, settings: str = "settings", resume: bool = False) -> Workspace:
    workspace = open_workspace(root, settings, resume=resume)
    workspace.begin()
    return workspace


def interrupted(root: Path) -> Path:
    """Leave a run behind as a kill would, and return a file of it."""
    begun(root)
    kept = root / KEPT
    kept.parent.mkdir(parents=True)
    kept.write_bytes(b"a round")
    return kept


def everything_below(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_a_new_folder_is_made_with_its_parents(tmp_path):
    begun(tmp_path / "one" / "two")
    assert [path.name for path in (tmp_path / "one" / "two").iterdir()] == ["run.json"]


def test_an_interrupted_run_is_gone_on_with_as_it_was_left(tmp_path):
    kept = interrupted(tmp_path)
    before = everything_below(tmp_path)
    assert begun(tmp_path, resume=True).goes_on
    assert everything_below(tmp_path) == before
    assert kept.read_bytes() == b"a round"


def test_without_resume_an_interrupted_run_is_started_over(tmp_path):
    kept = interrupted(tmp_path)
    fresh = begun(tmp_path)
    assert fresh.replaces
    assert not fresh.goes_on
    assert not kept.exists()


def test_a_finished_run_is_started_over_even_with_resume(tmp_path):
    kept = interrupted(tmp_path)
    open_workspace(tmp_path, "settings", resume=True).finish()
    workspace = begun(tmp_path, resume=True)
    assert workspace.replaces
    assert not workspace.goes_on
    assert not kept.exists()


def test_a_finished_run_of_other_settings_makes_room(tmp_path):
    interrupted(tmp_path)
    open_workspace(tmp_path, "settings", resume=True).finish()
    begun(tmp_path, settings="others", resume=True)
    assert set(everything_below(tmp_path)) == {"run.json"}


def test_an_interrupted_run_of_other_settings_is_refused_and_kept(tmp_path):
    interrupted(tmp_path)
    before = everything_below(tmp_path)
    with pytest.raises(CheckpointError, match="other settings"):
        open_workspace(tmp_path, "others", resume=True)
    assert everything_below(tmp_path) == before


def test_opening_a_folder_removes_nothing_yet(tmp_path):
    interrupted(tmp_path)
    before = everything_below(tmp_path)
    open_workspace(tmp_path, "others", resume=False)
    assert everything_below(tmp_path) == before


@pytest.mark.parametrize("resume", [True, False])
@pytest.mark.parametrize(
    "marker",
    [None, "", "[]", "{}", '{"finished": true, "settings": "settings"}', "\x00"],
    ids=["none", "empty", "list", "object", "alike", "binary"],
)
def test_a_folder_with_somebody_elses_files_is_refused_and_nothing_in_it_is_deleted(tmp_path, marker, resume):
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "id_ed25519").write_text("not ours")
    (tmp_path / "report.html").write_text("not ours")
    if marker is not None:
        (tmp_path / "run.json").write_text(marker)
    before = everything_below(tmp_path)
    with pytest.raises(BadInputError, match="files that are not of a run"):
        open_workspace(tmp_path, "settings", resume=resume)
    assert everything_below(tmp_path) == before


def test_a_strangers_file_beside_a_run_of_ours_outlives_it(tmp_path):
    kept = interrupted(tmp_path)
    (tmp_path / "notes.txt").write_text("not ours")
    begun(tmp_path)
    assert set(everything_below(tmp_path)) == {"run.json", "notes.txt"}
    assert not kept.exists()


def test_a_kill_while_the_folder_is_emptied_leaves_nothing_to_go_on_with(tmp_path, monkeypatch):
    interrupted(tmp_path)
    workspace = open_workspace(tmp_path, "settings", resume=False)
    with monkeypatch.context() as killing:
        killing.setattr("shutil.rmtree", _kill)
        with pytest.raises(KeyboardInterrupt):
            workspace.begin()
    assert not open_workspace(tmp_path, "settings", resume=True).goes_on


def _kill(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def test_a_kill_while_the_first_marker_is_written_leaves_a_folder_that_can_be_used(tmp_path):
    (tmp_path / ".run.json.x1y2z3").write_bytes(b'{"sett')
    begun(tmp_path)
    assert json.loads((tmp_path / "run.json").read_text())["finished"] is False


def test_a_folder_that_is_a_file_is_refused_in_one_line(tmp_path):
    (tmp_path / "file").write_text("a file")
    for out in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(BadInputError, match="can't be written to"):
            open_workspace(out, "settings", resume=False)
