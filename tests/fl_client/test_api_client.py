from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime

import httpx
import pytest

from fl_client.api_client import ApiClient
from fl_client.api_connection import NotReleasedError, ReportRefusedError, open_connection
from fl_client.report_book import Report
from fl_client.request_signing import Credentials
from models.domain.consent import Purpose
from models.domain.window import open_window
from models.errors import (
    BadInputError,
    ConsentRefusedError,
    HearsayError,
    RefusedError,
    SignatureRefusedError,
    UnreachableError,
    UsageError,
)

CREDENTIALS = Credentials("d" * 32, b"s" * 32)


def client_of(answer: Callable[[httpx.Request], httpx.Response]) -> ApiClient:
    return ApiClient(httpx.Client(base_url="http://127.0.0.1", transport=httpx.MockTransport(answer)), CREDENTIALS)


def refusing(status: int, slug: str) -> ApiClient:
    problem = {"type": f"/problems/{slug}", "title": "t", "status": status, "detail": "why it was refused"}
    return client_of(lambda _: httpx.Response(status, json=problem))


@pytest.mark.parametrize(
    ("status", "slug", "error", "exit_code"),
    [
        (401, "signature-refused", SignatureRefusedError, 4),
        (401, "clock-skew", SignatureRefusedError, 4),
        (401, "nonce-replayed", SignatureRefusedError, 4),
        (403, "consent-missing", ConsentRefusedError, 4),
        (404, "figure-not-released", NotReleasedError, 4),
        (409, "report-conflict", ReportRefusedError, 4),
        (409, "window-not-open", ReportRefusedError, 4),
        (422, "invalid-request", RefusedError, 4),
        (418, "something-new", RefusedError, 4),
        (500, "fault", UnreachableError, 5),
        (503, "database-unavailable", UnreachableError, 5),
    ],
)
def test_what_the_api_says_becomes_a_typed_error(
    status: int, slug: str, error: type[HearsayError], exit_code: int
) -> None:
    with pytest.raises(error, match="why it was refused") as refusal:
        refusing(status, slug).figure("verdict")
    assert type(refusal.value) is error
    assert refusal.value.exit_code == exit_code


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"version": "many"}', b"\xff", b"<html>"])
def test_an_answer_that_is_no_answer_is_not_taken_for_one(content: bytes) -> None:
    for status in (200, 502):
        with pytest.raises(UnreachableError):
            client_of(lambda _, status=status: httpx.Response(status, content=content)).current_release()


def test_a_server_that_is_not_there_is_unreachable() -> None:
    with open_connection("http://127.0.0.1:9") as connection, pytest.raises(UnreachableError):
        ApiClient(connection).enroll()


def test_a_device_that_is_not_enrolled_sends_nothing() -> None:
    sent: list[httpx.Request] = []
    connection = httpx.Client(base_url="http://127.0.0.1", transport=httpx.MockTransport(lambda r: sent.append(r)))  # type: ignore[arg-type, func-returns-value]
    with pytest.raises(UsageError, match="enroll first"):
        ApiClient(connection).withdraw(Purpose.STATISTICS)
    assert sent == []


def test_a_report_crosses_the_wire_as_its_own_bytes_and_nothing_else_of_the_device() -> None:
    sent: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return httpx.Response(200, json={"window": "2026-W46", "collected_until": "2026-11-22T15:00:00Z"})

    report = Report(open_window(datetime(2026, 11, 19, tzinfo=UTC)), "verdict", ("none",), 2.0)
    for _ in range(2):
        client_of(answer).send_report(report)
    assert sent[0].content == sent[1].content == report.body
    assert json.loads(report.body) == {"window": "2026-W46", "metric": "verdict", "answer": ["none"]}
    assert sent[0].headers["signature"] != sent[1].headers["signature"]
    assert CREDENTIALS.secret not in b"".join(value for _, value in sent[0].headers.raw)


@pytest.mark.parametrize(
    "url", ["http://api.example.org", "ftp://127.0.0.1", "127.0.0.1:80", "", "https://", "http://["]
)
def test_an_address_that_would_not_be_safe_is_refused(url: str) -> None:
    with pytest.raises(UsageError):
        open_connection(url)


def test_certificates_that_cannot_be_read_are_refused(tmp_path: object) -> None:
    from pathlib import Path

    with pytest.raises(BadInputError):
        open_connection("https://api.example.org", Path(str(tmp_path)) / "none.pem")


def test_a_secret_is_never_shown() -> None:
    assert "sss" not in repr(CREDENTIALS)
