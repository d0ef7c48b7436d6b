from __future__ import annotations

import json
import logging
from collections.abc import Callable

import pytest
from fastapi import FastAPI

from api.limits import LARGEST_BODY
from tests.api.conftest import Api
from tests.api.people import operator


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/v1/devices/", 404),
        ("GET", "/v1/devices", 405),
        ("PUT", "/v1/consents", 405),
        ("GET", "/v1/consents", 401),
        ("DELETE", "/v1/consents/statistics", 401),
        ("DELETE", "/v1/devices/self", 401),
        ("GET", "/v1/statistics/windows", 401),
        ("GET", "/v1/statistics/verdict?window=x", 422),
        ("GET", "/v1/releases/current", 404),
        ("POST", "/v1/statistics/reports", 422),
    ],
)
def test_every_error_is_a_problem_document(sqlite_api: Api, method: str, path: str, status: int) -> None:
    response = sqlite_api.connection.request(method, path)
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert problem["status"] == status
    assert sqlite_api.connection.get(problem["type"]).json()["title"] == problem["title"]


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"\xff\xfe",
        b"[" * 10_000,
        b"null",
        b'"text"',
        b'{"window": NaN}',
        b'{"window": "2026-W46\\u0000", "metric": "verdict", "answer": ["none"]}',
        b"",
    ],
)
@pytest.mark.parametrize("media_type", ["application/json", "text/plain", "multipart/form-data"])
def test_a_body_that_is_no_report_is_refused_not_failed(sqlite_api: Api, body: bytes, media_type: str) -> None:
    response = sqlite_api.connection.post("/v1/statistics/reports", content=body, headers={"Content-Type": media_type})
    assert response.status_code in ((400, 422) if media_type == "application/json" or not body else (415,))
    assert response.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", "", None])
@pytest.mark.parametrize("path", ["/v1/people", "/v1/devices"])
def test_a_body_of_another_type_is_told_which_one_is_taken(sqlite_api: Api, path: str, media_type: str | None) -> None:
    headers = {} if media_type is None else {"Content-Type": media_type}
    response = sqlite_api.connection.post(path, content=b'{"name": "quiet-river"}', headers=headers)
    assert (response.status_code, response.json()["type"]) == (415, "/problems/media-type-unknown")


def test_what_has_no_version_of_its_own_is_kept_by_nobody_in_between(sqlite_api: Api) -> None:
    guard = operator(sqlite_api, "quiet-operator")
    for path in ("/v1/people/self", "/v1/audit", "/v1/people/self/devices", "/v1/orders", "/healthz"):
        for answer in (guard.request("GET", path), sqlite_api.connection.get(path)):
            assert answer.headers["cache-control"] == "no-store"


def test_over_tls_and_only_there_browsers_are_told_to_stay_with_it(sqlite_api: Api) -> None:
    answers = (sqlite_api.connection.get(f"{scheme}://testserver/healthz") for scheme in ("https", "http"))
    told = [answer.headers.get("strict-transport-security") for answer in answers]
    assert told == ["max-age=31536000", None]


def test_a_body_that_is_too_large_is_refused_wherever_it_goes(sqlite_api: Api) -> None:
    for path in ("/v1/devices", "/v1/statistics/reports", "/nowhere"):
        response = sqlite_api.connection.post(path, content=b"x" * (LARGEST_BODY + 1))
        assert (response.status_code, response.json()["type"]) == (413, "/problems/body-too-large")
    assert sqlite_api.connection.post("/v1/devices", content=b"x" * LARGEST_BODY).status_code == 415


def test_a_fault_of_ours_tells_neither_the_client_nor_the_log_what_was_sent(
    sqlite_api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise KeyError("엄마 지금 송금했어")

    sqlite_api.app.add_api_route("/fails", fail)
    with caplog.at_level(logging.DEBUG):
        response = sqlite_api.connection.get("/fails")
    assert (response.status_code, response.json()["type"]) == (500, "/problems/fault")
    assert "KeyError" in caplog.text
    assert "송금" not in response.text + caplog.text


def test_a_database_that_is_gone_is_said_to_be_unavailable(
    make_api: Callable[[str], Api], tmp_path: object, caplog: pytest.LogCaptureFixture
) -> None:
    api = make_api(f"sqlite:///{tmp_path}/nowhere/there.db")
    response = api.connection.post("/v1/devices")
    assert (response.status_code, response.json()["type"]) == (503, "/problems/database-unavailable")
    assert response.headers["retry-after"] == "5"
    assert api.connection.get("/healthz").status_code == 200
    assert api.connection.get("/readyz").json()["type"] == "/problems/not-ready"
    assert "there.db" not in caplog.text + response.text


def test_the_open_api_document_is_complete(sqlite_api: Api) -> None:
    app: FastAPI = sqlite_api.app
    document = sqlite_api.connection.get("/openapi.json").json()
    text = json.dumps(document)
    for reference in set(_references(document)):
        assert reference.removeprefix("#/components/schemas/") in document["components"]["schemas"], reference
    assert "HTTPValidationError" not in text
    operations = [
        (path, method, operation) for path, item in document["paths"].items() for method, operation in item.items()
    ]
    assert len(operations) >= 30
    for path, method, operation in operations:
        assert operation.get("description"), (path, method)
        errors = [status for status in operation["responses"] if status >= "400"]
        assert all("application/problem+json" in operation["responses"][status]["content"] for status in errors)
        refusing = "401" in operation["responses"]
        asks_password = path in ("/v1/people", "/v1/people/sessions", "/v1/people/sessions/refresh")
        assert refusing == (bool(operation.get("security")) or (asks_password and method == "post")), (path, method)
    assert app.version == document["info"]["version"]


def _references(node: object) -> list[str]:
    if isinstance(node, dict):
        own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
        return own + [found for value in node.values() for found in _references(value)]
    if isinstance(node, list):
        return [found for value in node for found in _references(value)]
    return []
