from __future__ import annotations

import io
import json
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
    assert capsys.readouterr().err.count("\n") == 1
