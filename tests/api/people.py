"""What tests of people share: a person in front of the API, by plain requests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx

from api.people.service import create_operator
from tests.api.conftest import Api

PASSWORD = "four words nobody guesses"


@dataclass
class LoggedIn:
    """A person and the tokens that they were given last."""

    api: Api
    name: str
    access: str
    refresh: str

    def request(self, method: str, path: str, **content: Any) -> httpx.Response:
        return self.api.connection.request(method, path, headers={"Authorization": f"Bearer {self.access}"}, **content)

    def again(self) -> LoggedIn:
        return log_in(self.api, self.name)


def sign_up(api: Api, name: str = "quiet-river", password: str = PASSWORD) -> LoggedIn:
    answer = api.connection.post("/v1/people", json={"name": name, "password": password})
    assert answer.status_code == 201, answer.text
    return _logged_in(api, name, answer)


def log_in(api: Api, name: str, password: str = PASSWORD) -> LoggedIn:
    answer = api.connection.post("/v1/people/sessions", json={"name": name, "password": password})
    assert answer.status_code == 201, answer.text
    return _logged_in(api, name, answer)


def operator(api: Api, name: str = "the-operator") -> LoggedIn:
    create_operator(api.app.state.context, name, PASSWORD)
    return log_in(api, name)


def refresh(api: Api, token: str) -> httpx.Response:
    return api.connection.post("/v1/people/sessions/refresh", json={"refresh_token": token})


def problem(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["type"].rpartition("/")[2]


def _logged_in(api: Api, name: str, answer: httpx.Response) -> LoggedIn:
    found = answer.json()
    return LoggedIn(api, name, found["access_token"], found["refresh_token"])
