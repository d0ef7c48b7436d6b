"""The simulation's API: served by a process of its own, and a port that is taken is said in one line."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from api.__main__ import main as api
from api.process import running_api
from fl_server.registry import create_registry
from models.errors import UnreachableError
from simulations.service import ApiPlace, release_window, serving_api


@pytest.fixture
def place(tmp_path: Path) -> ApiPlace:
    create_registry(tmp_path / "registry")
    return ApiPlace(
        f"sqlite:///{tmp_path / 'api.sqlite3'}", tmp_path / "registry", tmp_path / "keys", tmp_path / "logs" / "api.log"
    )


@pytest.fixture
def taken() -> Iterator[int]:
    """A port of loopback that somebody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def test_the_api_answers_until_the_block_ends_and_no_longer(place):
    with serving_api(place) as url:
        assert httpx.get(f"{url}/v1/consent-texts").status_code < 500
    with pytest.raises(httpx.ConnectError):
        httpx.get(url)


def test_a_window_without_its_reports_is_not_released_and_the_command_says_why(place):
    with serving_api(place), pytest.raises(UnreachableError, match="the statistics couldn't be released: ") as refused:
        release_window(place)
    assert "\n" not in str(refused.value)


def test_a_port_that_is_taken_is_one_line_and_its_own_exit_code(place, taken, tmp_path, capsys):
    assert api(["migrate", "--database", place.database, "--keys", str(place.keys)]) == 0
    capsys.readouterr()
    serve = ["serve", "--plain-http", "--port", str(taken), "--database", place.database]
    assert api([*serve, "--registry", str(place.registry), "--keys", str(place.keys)]) == 5
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err == f"error: can't listen on 127.0.0.1 port {taken}: Address already in use\n"


def test_a_simulation_whose_api_cant_have_its_port_says_what_the_api_said(place, taken, tmp_path):
    api(["migrate", "--database", place.database, "--keys", str(place.keys)])
    with (
        pytest.raises(UnreachableError, match=f"can't listen on 127.0.0.1 port {taken}"),
        running_api(place.database, place.registry, place.keys, tmp_path / "api.log", taken),
    ):
        pytest.fail("it was served")
