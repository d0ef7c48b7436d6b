from __future__ import annotations

import contextlib
import io
import json
import sqlite3
from pathlib import Path

import pytest

from api.__main__ import main

PASSWORD = "four words nobody guesses"


def create(folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, typed: str) -> int:
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))
    where = ["--database", f"sqlite:///{folder}/api.db", "--keys", str(folder / "keys")]
    return main(["create-operator", "--name", name, *where])


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    assert main(["migrate", "--database", f"sqlite:///{tmp_path}/api.db", "--keys", str(tmp_path / "keys")]) == 0
    return tmp_path


def test_an_operator_is_made_once_and_the_password_is_not_told(
    installed: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert create(installed, monkeypatch, "the-operator", PASSWORD + "\n") == 0
    assert json.loads(capsys.readouterr().out) == {"operator": "the-operator"}
    assert create(installed, monkeypatch, "the-operator", PASSWORD + "\n") == 4
    said = capsys.readouterr()
    assert PASSWORD not in said.out + said.err


@pytest.mark.parametrize(
    ("name", "typed", "code"),
    [
        ("the-operator", "short\n", 4),
        ("the-operator", "", 4),
        ("An Operator", PASSWORD, 2),
        ("the-operator", "password1234", 4),
        ("the-operator", "long enough " * 100, 4),
        ("010-1234-5678", PASSWORD, 2),
    ],
)
def test_an_operator_needs_a_usable_name_and_password(
    installed: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
    typed: str,
    code: int,
) -> None:
    assert create(installed, monkeypatch, name, typed) == code
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert ("--name" in said) == (code == 2)


def remove(folder: Path, name: str) -> int:
    return main(["remove-operator", "--name", name, "--database", f"sqlite:///{folder}/api.db"])


def test_an_operator_is_removed_by_name_and_only_an_operator(
    installed: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert create(installed, monkeypatch, "the-operator", PASSWORD) == 0
    capsys.readouterr()
    assert remove(installed, "the-operator") == 0
    assert json.loads(capsys.readouterr().out) == {"removed": "the-operator"}
    assert remove(installed, "the-operator") == 4
    assert capsys.readouterr().err == "error: no operator has that name\n"
    with contextlib.closing(sqlite3.connect(installed / "api.db")) as connection:
        assert connection.execute("SELECT count(*) FROM people").fetchone() == (0,)
        events = connection.execute("SELECT event FROM audit_log ORDER BY number").fetchall()
    assert events == [("operator-created",), ("operator-removed",)]
