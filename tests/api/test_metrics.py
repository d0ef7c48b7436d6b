"""Metrics: what they say, what they never say, who may read them, and a Grafana dashboard of nothing else."""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from models.domain.consent import Purpose
from models.record import append_record
from tests.api.conftest import Api
from tests.api.people import operator, refresh, sign_up
from tests.release_server import Publisher

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from starlette.testclient import TestClient

DASHBOARD = Path(__file__).parents[2] / "deploy/grafana/hearsay.json"


def scrape(api: Api, host: str = "127.0.0.1", **headers: str) -> tuple[int, str]:
    answer = TestClient(api.app, client=(host, 50000)).get("/metrics", headers=headers)
    return answer.status_code, answer.text


def samples(api: Api) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    status, text = scrape(api)
    assert status == 200
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(api: Api, name: str, **labels: str) -> float:
    return samples(api)[name, tuple(sorted(labels.items()))]


@pytest.fixture
def lively(api: Api) -> Api:
    """A server that releases, orders, rounds and requests went through."""
    publisher = Publisher(api.registry.parent)
    publisher.publish(1)
    publisher.publish(2, 20)
    report = {"number": 3, "acceptance_f1": 0.9, "acceptance_loss": 0.25, "epsilon": 0.5}
    append_record(publisher.registry.rounds, "000002", report | {"number": 2})
    append_record(publisher.registry.rounds, "000003", report)
    guard = operator(api)
    tag = guard.request("GET", "/v1/releases").headers["etag"]
    authorization = {"Authorization": f"Bearer {guard.access}", "If-Match": tag}
    assert api.connection.post("/v1/orders", json={"kind": "pause"}, headers=authorization).status_code == 202
    person = sign_up(api)
    refresh(api, person.refresh)
    refresh(api, person.refresh)
    return api


def test_requests_are_counted_by_the_template_of_their_route(sqlite_api: Api) -> None:
    for number in range(3):
        sqlite_api.connection.delete(f"/v1/consents/{number}")
        sqlite_api.connection.get(f"/nowhere/{number}")
    sqlite_api.connection.request("CONJURE", "/healthz")
    found = samples(sqlite_api)
    counted = {labels: count for (name, labels), count in found.items() if name == "hearsay_api_requests_total"}
    assert counted[("method", "DELETE"), ("route", "/v1/consents/{purpose}"), ("status", "422")] == 3
    assert counted[("method", "GET"), ("route", "none"), ("status", "404")] == 3
    assert counted[("method", "other"), ("route", "/healthz"), ("status", "405")] == 1
    assert value(sqlite_api, "hearsay_api_requests_in_progress") == 1  # the scrape itself


def test_no_id_path_or_address_is_a_label(api: Api) -> None:
    device = api.enrolled(*Purpose)
    person = sign_up(api, "name-of-somebody")
    person.request("DELETE", "/v1/people/sessions/" + "0" * 32)
    api.connection.get("/v1/releases/targets/canary.json?canary=1")
    assert device._signature is not None
    kept = (device._signature._device_id, person.name, "canary", "0" * 32, "testclient", "127.0.0.1", "50000")
    # Not the whole text: a sample's value is a number, in which an address's port can stand by chance.
    labels = [label for _, labels in samples(api) for label in labels]
    assert [secret for secret in kept if any(secret in said for _, said in labels)] == []
    assert {name for name, _ in labels} == {"method", "route", "status", "le", "part", "event"}


def test_the_state_is_read_at_the_moment_of_asking(lively: Api) -> None:
    expected = {
        "hearsay_release_version": 2,
        "hearsay_release_rollout_percent": 20,
        "hearsay_orders_pending": 1,
        "hearsay_orders_unwritten": 0,
        "hearsay_rounds_paused": 0,
        "hearsay_audit_rows": 6,
        "hearsay_round": 3,
        "hearsay_acceptance_f1": 0.9,
        "hearsay_acceptance_loss": 0.25,
        "hearsay_person_epsilon": 0.5,
    }
    found = samples(lively)
    assert {name: found[name, ()] for name in expected} == expected
    assert value(lively, "hearsay_security_alarms_total", event="refresh-token-reused") == 1
    assert value(lively, "hearsay_security_alarms_total", event="login-throttled") == 0
    assert {value(lively, "hearsay_readable", part=part) for part in ("database", "orders", "rounds")} == {1}


def test_what_cannot_be_read_is_said_and_the_rest_still_told(lively: Api) -> None:
    (lively.registry / "metadata/timestamp.json").write_text("{")
    (lively.registry / "rounds/000004.json").write_text("{")
    found = samples(lively)
    readable = {part: value(lively, "hearsay_readable", part=part) for part in ("database", "orders", "rounds")}
    assert readable == {"database": 1, "orders": 0, "rounds": 0}
    assert ("hearsay_release_version", ()) not in found
    assert ("hearsay_audit_rows", ()) in found


def test_a_server_without_release_or_round_has_metrics(sqlite_api: Api) -> None:
    assert value(sqlite_api, "hearsay_round") == 0
    assert ("hearsay_release_version", ()) not in samples(sqlite_api)


@pytest.mark.parametrize("host", ["10.0.0.7", "testclient", "2001:db8::1", "::ffff:10.0.0.1"])
def test_there_are_no_metrics_for_other_machines(sqlite_api: Api, host: str) -> None:
    assert scrape(sqlite_api, host)[0] == 404
    assert scrape(sqlite_api, "::1")[0] == 200


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "Via", "X-Real-IP"])
def test_there_are_no_metrics_through_a_proxy_on_this_machine(sqlite_api: Api, header: str) -> None:
    assert scrape(sqlite_api, **{header: "127.0.0.1"})[0] == 404


def expressions(node: object) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("expr"), str):
            yield node["expr"]
        for inner in node.values():
            yield from expressions(inner)
    if isinstance(node, list):
        for inner in node:
            yield from expressions(inner)


def named(expression: str) -> set[str]:
    return set(re.findall(r"\bhearsay_[a-z0-9_]+", expression))


def test_every_expression_of_the_grafana_dashboard_names_metrics_that_are_there(lively: Api) -> None:
    found = list(expressions(json.loads(DASHBOARD.read_text())))
    exported = {name for name, _ in samples(lively)}
    assert len(found) >= 10
    assert all(named(expression) for expression in found)
    assert {name for expression in found for name in named(expression)} - exported == set()
    assert named("rate(hearsay_conjured_total[5m])") - exported
    labels = {label for _, of_one in samples(lively) for label, _ in of_one}
    assert {label for each in found for label in re.findall(r"\bby \(([a-z, ]+)\)", each) if label != "le"} <= labels
