"""Requests made from the OpenAPI document, right and wrong, by every kind of sender: all answers are documented."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass

import httpx
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from api.tables import throttle_periods
from models.domain.consent import Purpose
from tests.api.conftest import Api
from tests.api.people import operator, sign_up

EXAMPLES = 5

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
"""Not those of what should be accepted: a sender's own credentials stand in place of generated ones, and no schema can
say that a key is a key, a week one of the calendar, or an order's If-Match the present state."""


@dataclass(frozen=True)
class Sender:
    """What a request carries besides what the document says."""

    headers: dict[str, str]
    auth: httpx.Auth | None = None


def nobody(_: Api) -> Sender:
    return Sender({})


def device(api: Api) -> Sender:
    return Sender({}, api.enrolled(*Purpose)._signature)


def person(api: Api) -> Sender:
    return Sender({"Authorization": f"Bearer {sign_up(api, f'name-{secrets.token_hex(4)}').access}"})


def an_operator(api: Api) -> Sender:
    return Sender({"Authorization": f"Bearer {operator(api, f'op-{secrets.token_hex(4)}').access}"})


def device_of_a_person(api: Api) -> Sender:
    return Sender(person(api).headers, device(api).auth)


@pytest.mark.parametrize("make_sender", [nobody, device, person, an_operator, device_of_a_person])
def test_whatever_is_sent_every_answer_is_one_that_the_document_names(
    sqlite_api: Api, make_sender: Callable[[Api], Sender]
) -> None:
    schema = schemathesis.openapi.from_dict(sqlite_api.app.openapi())
    for found in schema.get_all_operations():
        operation = found.ok()
        with sqlite_api.engine.begin() as connection:  # more people sign up here than one address may bring
            connection.execute(throttle_periods.delete())
        send_examples(sqlite_api, operation, make_sender(sqlite_api))


def send_examples(api: Api, operation: schemathesis.APIOperation, sender: Sender) -> None:
    made = st.one_of([operation.as_strategy(generation_mode=mode) for mode in schemathesis.GenerationMode])

    @settings(max_examples=EXAMPLES, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    @given(made)
    def send(case: schemathesis.Case) -> None:
        wanted = requests.Request(**case.as_transport_kwargs("http://testserver")).prepare()
        headers = [(name.encode(), value.encode("latin-1")) for name, value in wanted.headers.items()]
        headers += [(name.encode(), value.encode()) for name, value in sender.headers.items()]
        answer = api.connection.request(
            wanted.method, wanted.url, headers=headers, content=wanted.body, auth=sender.auth
        )
        case.validate_response(answer, checks=CHECKS)

    send()
