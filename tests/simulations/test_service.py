"""The simulation's API: served by a process of its own, and a port that is taken is said in one line."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from api.__main__ import main as api
from api.process import running_api
from fl_client.__main__ import main as device
from fl_client.api_connection import open_connection
from fl_server.registry import create_registry
from models.errors import UnreachableError
from simulations.service import ApiPlace, release_window, serving_api
from tests.release_server import Publisher


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


@pytest.mark.parametrize("plain_http", [False, True])
def test_the_api_answers_until_the_block_ends_and_no_longer(place, plain_http):
    with serving_api(place, plain_http=plain_http) as address:
        assert address.url.startswith("http://" if plain_http else "https://")
        with open_connection(address.url, address.ca_file) as connection:
            assert connection.get("/v1/consents/texts").status_code == 200
            assert connection.get("/healthz").json() == {"status": "ok"}
    with pytest.raises(httpx.ConnectError):
        httpx.get(address.url, trust_env=False, verify=False)


def test_a_device_that_doesnt_trust_the_certificate_installs_nothing_over_it(place, tmp_path):
    publisher = Publisher(tmp_path / "server")
    publisher.publish(1)
    (tmp_path / "root.json").write_bytes(publisher.root)
    served = replace(place, registry=publisher.registry.root)
    update = ["update", "--home", str(tmp_path / "device"), "--root", str(tmp_path / "root.json"), "--json"]
    with serving_api(served) as address:
        assert device([*update, "--releases", address.url]) == 5
        # Over a certificate that it trusts it gets further: these files are no detector.
        assert device([*update, "--releases", address.url, "--ca-file", str(address.ca_file)]) == 3
        assert device([*update, "--releases", address.url, "--ca-file", str(tmp_path / "root.json")]) == 3


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
