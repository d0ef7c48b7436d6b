"""One process at a time works on a folder."""

from __future__ import annotations

import pytest

from models.errors import FolderInUseError
from models.folder_lock import locked_folder
from tests.killing import exit_code_of, kill_self


def die_with_the_lock(folder) -> None:
    with locked_folder(folder):
        kill_self()


def refuse_or_fail(folder) -> None:
    with pytest.raises(FolderInUseError), locked_folder(folder):
        pass


def test_a_second_process_is_refused_while_the_first_works_and_let_in_afterwards(tmp_path):
    with locked_folder(tmp_path):
        assert exit_code_of(refuse_or_fail, tmp_path) == 0
    assert exit_code_of(refuse_or_fail, tmp_path) == 1


def test_a_killed_process_leaves_no_lock_behind(tmp_path):
    assert exit_code_of(die_with_the_lock, tmp_path) == -9
    with locked_folder(tmp_path):
        pass


def test_the_refusal_has_the_exit_code_of_refusals(tmp_path):
    with locked_folder(tmp_path / "new"), pytest.raises(FolderInUseError) as refused, locked_folder(tmp_path / "new"):
        pass
    assert refused.value.exit_code == 4
