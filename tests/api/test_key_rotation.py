from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text

from api.app import create_app
from api.key_rotation import rotate_keys
from api.keys import ENCRYPTION_FILE, TOKEN_FILE, Keys, load_keys, make_keys
from api.settings import Settings
from fl_client.api_client import ApiClient
from models.errors import BadInputError
from tests.api.conftest import CHEAP, Api, SettableClock, TestClient
from tests.api.people import sign_up


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    make_keys(tmp_path / "own-keys")
    return tmp_path / "own-keys"


@pytest.fixture
def rotating_api(folder: Path, database_url: str) -> Callable[[], Api]:
    """Processes of one API, which share its keys and its database."""
    clock = SettableClock()

    def start() -> Api:
        app = create_app(Settings(database_url, folder / "registry", load_keys(folder), clock, CHEAP))
        connection = TestClient(app, raise_server_exceptions=False)
        return Api(app, connection, app.state.context.engine, folder / "registry", clock)

    return start


def test_a_rotation_interrupts_nobody_on_any_process(rotating_api: Callable[[], Api], folder: Path) -> None:
    first, second = rotating_api(), rotating_api()
    device, person = first.enrolled(), sign_up(first)
    rotation = rotate_keys(first.engine, folder)
    assert rotation.sealed_anew == 1
    for process in (first, second):
        moved = ApiClient(process.connection)
        moved._signature = device._signature
        assert len(moved.consents()) == 3
        assert replace(person, api=process).request("GET", "/v1/people/self").status_code == 200
    # What one process signs and seals from now on, the other one takes.
    newer = sign_up(first, "newer-person")
    assert replace(newer, api=second).request("GET", "/v1/people/self").status_code == 200
    with first.engine.begin() as connection:
        keys = connection.execute(text("SELECT DISTINCT encryption_key FROM devices")).scalars().all()
    assert keys == [rotation.encryption_key]


def test_an_older_key_stays_for_one_rotation_and_a_retired_one_not_at_all(
    rotating_api: Callable[[], Api], folder: Path
) -> None:
    api = rotating_api()
    device, person = api.enrolled(), sign_up(api)
    waiting = api.anonymous().enroll()
    ApiClient(api.connection, waiting, lambda: api.clock.now).rotate_secret(waiting)
    rotate_keys(api.engine, folder)
    assert person.request("GET", "/v1/people/self").status_code == 200
    rotate_keys(api.engine, folder)
    assert person.request("GET", "/v1/people/self").status_code == 401
    person = person.again()
    assert rotate_keys(api.engine, folder, retire=True).sealed_anew == 2
    assert person.request("GET", "/v1/people/self").status_code == 401
    assert len(device.consents()) == 3
    assert all(len(json.loads((folder / name).read_text())["keys"]) == 1 for name in (ENCRYPTION_FILE, TOKEN_FILE))
    assert (folder / TOKEN_FILE).stat().st_mode & 0o777 == 0o600


def test_a_rotation_takes_no_key_away_while_a_secret_cannot_be_opened(
    rotating_api: Callable[[], Api], folder: Path
) -> None:
    api = rotating_api()
    api.enrolled()
    with api.engine.begin() as connection:
        connection.execute(text("UPDATE devices SET encryption_key = 'lost'"))
    before = json.loads((folder / ENCRYPTION_FILE).read_text())["keys"]
    with pytest.raises(BadInputError, match="no key was taken away"):
        rotate_keys(api.engine, folder, retire=True)
    assert before.items() <= json.loads((folder / ENCRYPTION_FILE).read_text())["keys"].items()


@pytest.mark.parametrize(
    "damage", [lambda path: path.write_text("{"), lambda path: path.unlink(), lambda path: path.chmod(0o644)]
)
def test_keys_that_are_damaged_while_it_runs_leave_the_ones_read_before_in_use(
    folder: Path, damage: Callable[[Path], object], caplog: pytest.LogCaptureFixture
) -> None:
    keys = Keys(folder)
    before = keys.tokens
    damage(folder / TOKEN_FILE)
    if (folder / TOKEN_FILE).exists():
        os.utime(folder / TOKEN_FILE, ns=(1, 1))
    assert keys.tokens == before
    assert "can't be used" in caplog.text
