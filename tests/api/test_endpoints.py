"""Every endpoint by every kind of sender: nobody, the wrong credential, somebody else, no consent, and as it should be.

The table of endpoints is compared with the OpenAPI document, so that a new one can't be forgotten.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from api.tables import throttle_periods
from fl_client.api_client import ApiClient, _spell_keys
from fl_client.training_keys import make_training_keys
from models.domain.consent import Purpose
from models.domain.window import open_window
from tests.api.conftest import Api
from tests.api.people import PASSWORD, LoggedIn, operator, problem, sign_up

OPEN, DEVICE, STATISTICS, PERSON, OPERATOR, BOTH = "open", "device", "statistics", "person", "operator", "both"


@dataclass(frozen=True)
class Endpoint:
    """What one endpoint needs, and the status of a request that has it."""

    method: str
    path: str
    needs: str
    status: int
    body: Any = None

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


NAMED = {"name": "NAME", "password": PASSWORD}
CONSENT = {"purpose": "detection", "text_version": "2026-11", "language": "ko", "is_under_14": False}
ENDPOINTS = [
    Endpoint("GET", "/healthz", OPEN, 200),
    Endpoint("GET", "/readyz", OPEN, 200),
    Endpoint("GET", "/metrics", OPEN, 404),
    Endpoint("GET", "/problems/{slug}", OPEN, 404),
    Endpoint("GET", "/v1/releases/current", OPEN, 404),
    Endpoint("GET", "/v1/releases/metadata/{name}", OPEN, 404),
    Endpoint("GET", "/v1/releases/targets/{name}", OPEN, 404),
    Endpoint("GET", "/v1/consents/texts", OPEN, 200),
    Endpoint("POST", "/v1/devices", OPEN, 201),
    Endpoint("POST", "/v1/people", OPEN, 201, NAMED),
    Endpoint("POST", "/v1/people/sessions", OPEN, 401, NAMED),
    Endpoint("POST", "/v1/people/sessions/refresh", OPEN, 401, {"refresh_token": f"{'0' * 32}.{'A' * 43}"}),
    Endpoint("POST", "/v1/consents", DEVICE, 200, CONSENT),
    Endpoint("GET", "/v1/consents", DEVICE, 200),
    Endpoint("DELETE", "/v1/consents/{purpose}", DEVICE, 200),
    Endpoint("PUT", "/v1/devices/self/training-keys", DEVICE, 200, "KEYS"),
    Endpoint("POST", "/v1/devices/self/secret", DEVICE, 201),
    Endpoint("PUT", "/v1/devices/self/person", BOTH, 204),
    Endpoint("DELETE", "/v1/devices/self/person", DEVICE, 204),
    Endpoint("DELETE", "/v1/devices/self", DEVICE, 204),
    Endpoint("POST", "/v1/statistics/reports", STATISTICS, 200, "REPORT"),
    Endpoint("GET", "/v1/statistics/windows", STATISTICS, 200),
    Endpoint("GET", "/v1/statistics/{metric}", STATISTICS, 404),
    Endpoint("GET", "/v1/operator/statistics/windows", OPERATOR, 200),
    Endpoint("GET", "/v1/operator/statistics/{metric}", OPERATOR, 404),
    Endpoint("GET", "/v1/people/self", PERSON, 200),
    Endpoint("GET", "/v1/people/self/devices", PERSON, 200),
    Endpoint("DELETE", "/v1/people/self/devices/{device_id}", PERSON, 404),
    Endpoint("GET", "/v1/people/sessions", PERSON, 200),
    Endpoint("DELETE", "/v1/people/sessions/{session}", PERSON, 404),
    Endpoint("DELETE", "/v1/people/sessions", PERSON, 204),
    Endpoint(
        "PUT", "/v1/people/self/password", PERSON, 200, {"current_password": PASSWORD, "new_password": PASSWORD[::-1]}
    ),
    Endpoint("DELETE", "/v1/people/self", PERSON, 204),
    Endpoint("GET", "/v1/audit", OPERATOR, 200),
    Endpoint("GET", "/v1/operator/rounds", OPERATOR, 200),
    Endpoint("GET", "/v1/operator/drift", OPERATOR, 200),
    Endpoint("GET", "/v1/operator/models", OPERATOR, 200),
    Endpoint("GET", "/v1/releases", OPERATOR, 200),
    Endpoint("GET", "/v1/orders", OPERATOR, 200),
    Endpoint("POST", "/v1/orders", OPERATOR, 428, {"kind": "pause"}),
    Endpoint("POST", "/v1/guardians", OPERATOR, 201, {"purpose": "statistics", "reference": "2026/0417"}),
    Endpoint("DELETE", "/v1/guardians/{record_id}", OPERATOR, 404),
]
CLOSED = [endpoint for endpoint in ENDPOINTS if endpoint.needs != OPEN]

SOMEBODY_ELSES = {
    "slug": "nothing",
    "name": "1.root.json",
    "purpose": "statistics",
    "metric": "verdict",
    "device_id": "0" * 32,
    "session": "0" * 32,
    "record_id": "0" * 32,
}


def send(
    api: Api, endpoint: Endpoint, device: ApiClient | None = None, person: LoggedIn | None = None
) -> httpx.Response:
    body = endpoint.body
    if body == "KEYS":
        body = _spell_keys(make_training_keys())
    if body == "REPORT":
        body = {"window": open_window(api.clock.now).name, "metric": "verdict", "answer": ["none"]}
    if body == NAMED:
        body = {**NAMED, "name": f"name-{secrets.token_hex(4)}"}
    return api.connection.request(
        endpoint.method,
        endpoint.path.format(**SOMEBODY_ELSES),
        json=body,
        auth=None if device is None else device._signature,
        headers={} if person is None else {"Authorization": f"Bearer {person.access}"},
    )


def somebody(api: Api) -> LoggedIn:
    return sign_up(api, f"name-{secrets.token_hex(4)}")


@pytest.fixture
def api(sqlite_api: Api) -> Api:
    with sqlite_api.engine.begin() as connection:  # more people log in here than one address may bring
        connection.execute(throttle_periods.delete())
    return sqlite_api


def test_the_table_names_every_endpoint_of_the_document(api: Api) -> None:
    document = api.connection.get("/openapi.json").json()
    described = {(method.upper(), path) for path, item in document["paths"].items() for method in item}
    assert {(endpoint.method, endpoint.path) for endpoint in ENDPOINTS} == described


def test_the_document_says_of_every_endpoint_what_it_needs(api: Api) -> None:
    document = api.connection.get("/openapi.json").json()
    schemes = {OPEN: [], DEVICE: ["deviceSignature"], STATISTICS: ["deviceSignature"], PERSON: ["accessToken"]}
    schemes |= {OPERATOR: ["accessToken"], BOTH: ["deviceSignature", "accessToken"]}
    for endpoint in ENDPOINTS:
        operation = document["paths"][endpoint.path][endpoint.method.lower()]
        assert sorted(name for one in operation.get("security", []) for name in one) == sorted(schemes[endpoint.needs])
        assert str(endpoint.status) in operation["responses"], str(endpoint)


@pytest.mark.parametrize("endpoint", CLOSED, ids=str)
def test_nobody_comes_in(api: Api, endpoint: Endpoint) -> None:
    assert send(api, endpoint).status_code == 401


@pytest.mark.parametrize("endpoint", CLOSED, ids=str)
def test_the_wrong_kind_of_credential_opens_nothing(api: Api, endpoint: Endpoint) -> None:
    if endpoint.needs in (PERSON, OPERATOR):
        assert send(api, endpoint, device=api.enrolled(*Purpose)).status_code == 401
    else:
        assert send(api, endpoint, person=somebody(api)).status_code == 401
    if endpoint.needs == BOTH:
        assert send(api, endpoint, device=api.enrolled(*Purpose)).status_code == 401


@pytest.mark.parametrize("endpoint", [found for found in CLOSED if found.needs == OPERATOR], ids=str)
def test_people_do_nothing_that_is_for_operators(api: Api, endpoint: Endpoint) -> None:
    assert problem(send(api, endpoint, person=somebody(api))) == (403, "operators-only")


@pytest.mark.parametrize("endpoint", [found for found in CLOSED if found.needs == STATISTICS], ids=str)
def test_nothing_that_needs_a_consent_goes_without_it(api: Api, endpoint: Endpoint) -> None:
    device = api.enrolled(Purpose.DETECTION, Purpose.TRAINING)
    assert problem(send(api, endpoint, device=device)) == (403, "consent-missing")


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=str)
def test_who_has_what_it_needs_is_answered_and_nobody_elses_things_are_touched(api: Api, endpoint: Endpoint) -> None:
    other_device, other_person = api.enrolled(*Purpose), somebody(api)
    device = api.enrolled(*Purpose) if endpoint.needs in (DEVICE, STATISTICS, BOTH) else None
    person = somebody(api) if endpoint.needs in (PERSON, BOTH) else None
    if endpoint.needs == OPERATOR:
        person = operator(api, f"op-{secrets.token_hex(4)}")
    assert send(api, endpoint, device, person).status_code == endpoint.status
    assert all(held.given for held in other_device.consents())
    assert other_person.request("GET", "/v1/people/self").status_code == 200
