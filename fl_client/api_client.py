"""The typed client of the API that everything of ours on a device talks through. It imports no torch."""

from __future__ import annotations

import base64
import binascii
import ssl
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

import httpx
from pydantic import TypeAdapter, ValidationError

from fl_client.request_signing import Credentials, DeviceSignature
from fl_client.statistics import Report
from models.domain.consent import Purpose
from models.domain.window import Window
from models.errors import (
    BadInputError,
    ConsentRefusedError,
    HearsayError,
    RefusedError,
    SignatureRefusedError,
    UnreachableError,
    UsageError,
)

TIMEOUT_SECONDS = 10.0

_LOOPBACK = ("localhost", "127.0.0.1", "::1")

_Answer = TypeVar("_Answer")


class ReportRefusedError(RefusedError):
    """The API takes no report for that window, or has another one of this device."""


class NotReleasedError(RefusedError):
    """There is no figure for that window: it is not its day yet, or too few devices reported."""


@dataclass(frozen=True, slots=True)
class ConsentText:
    """What a person is shown before consenting; the four items of PIPA 15(2)."""

    purpose: Purpose
    version: str
    language: str
    aim: str
    items: str
    retention: str
    refusal: str


@dataclass(frozen=True, slots=True)
class Consent:
    """What the API holds for one purpose; without ``recorded_at`` nothing was ever said."""

    purpose: Purpose
    given: bool
    text_version: str | None = None
    language: str | None = None
    recorded_at: datetime | None = None
    receipt: str | None = None


@dataclass(frozen=True, slots=True)
class WithdrawalReceipt:
    """What the person keeps after a withdrawal.

    Attributes:
        reports_destroyed: Reports on windows that were still open.
    """

    purpose: Purpose
    withdrawn_at: datetime
    receipt: str
    reports_destroyed: int


@dataclass(frozen=True, slots=True)
class ReportReceipt:
    """The API has the report until its window's figures are made."""

    window: str
    collected_until: datetime


@dataclass(frozen=True, slots=True)
class Estimate:
    """Which share of the devices holds a value: unbiased, with its interval cut to 0 and 1."""

    share: float
    standard_error: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Figure:
    """A released figure.

    Attributes:
        epsilon: Local differential privacy of one device's answer.
        reports: Devices that answered.
        confidence: Of each value's interval by itself.
        estimates: By value.
    """

    metric: str
    window: str
    epsilon: float
    reports: int
    confidence: float
    estimates: dict[str, Estimate]


@dataclass(frozen=True, slots=True)
class ReleasedFile:
    """A file of a release; the size is in bytes."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class CurrentRelease:
    """The newest release, as told to people. Nothing is installed on its word: see ``fl_client.releases``."""

    version: int
    rollout_percent: int
    notes: str
    files: tuple[ReleasedFile, ...]


@dataclass(frozen=True, slots=True)
class _Enrolment:
    device_id: str
    secret: str


def open_connection(url: str, ca_file: Path | None = None) -> httpx.Client:
    """Return connections to the API at an address. Many devices of a simulation may share them.

    Args:
        url: Such as ``https://api.example.org``; plain HTTP on loopback only.
        ca_file: Certificates to trust instead of the system's.

    Raises:
        UsageError: The address is no address, or plain HTTP beyond loopback.
        BadInputError: The certificates can't be read.
    """
    try:
        host, scheme = httpx.URL(url).host, httpx.URL(url).scheme
    except httpx.InvalidURL:
        host, scheme = "", ""
    if scheme not in ("http", "https") or not host:
        raise UsageError("expected the API's address as https://HOST or, on loopback, http://HOST:PORT")
    if scheme == "http" and host not in _LOOPBACK:
        raise UsageError(f"plain HTTP is for loopback only, not {host}: use https")
    return httpx.Client(
        base_url=url,
        timeout=TIMEOUT_SECONDS,
        verify=_trust(ca_file) if scheme == "https" else False,
        trust_env=host not in _LOOPBACK,
        follow_redirects=False,
    )


class ApiClient:
    """One device's view of the API; without credentials, only what needs no signature.

    Every method raises ``UnreachableError`` where the API doesn't answer or can't carry the request out now,
    ``SignatureRefusedError`` and ``ConsentRefusedError`` where it says so, and ``RefusedError`` otherwise.
    """

    def __init__(
        self,
        connection: httpx.Client,
        credentials: Credentials | None = None,
        now: Callable[[], datetime] | None = None,
    ) -> None:
        self._connection = connection
        self._signature = None if credentials is None else DeviceSignature(credentials, now)

    def enroll(self) -> Credentials:
        """Enrol a new device and return its credentials. They are shown this once: store them encrypted."""
        answer = self._ask(_Enrolment, "POST", "/v1/devices")
        try:
            return Credentials(answer.device_id, base64.b64decode(answer.secret, validate=True))
        except binascii.Error:
            raise UnreachableError(_NOT_UNDERSTOOD) from None

    def leave(self) -> None:
        """Destroy the device at the API with everything that is tied to it."""
        self._send("DELETE", "/v1/devices/self", signed=True)

    def consent_texts(self) -> tuple[ConsentText, ...]:
        """Return the texts in force."""
        return self._ask(tuple[ConsentText, ...], "GET", "/v1/consents/texts")

    def give_consent(self, text: ConsentText) -> Consent:
        """Record that the person consented under a text that they were shown."""
        body = {"purpose": text.purpose.value, "text_version": text.version, "language": text.language}
        return self._ask(Consent, "POST", "/v1/consents", json=body, signed=True)

    def consents(self) -> tuple[Consent, ...]:
        """Return what the API holds for every purpose."""
        return self._ask(tuple[Consent, ...], "GET", "/v1/consents", signed=True)

    def withdraw(self, purpose: Purpose) -> WithdrawalReceipt:
        """Withdraw a consent; what it allowed the API to keep is destroyed."""
        return self._ask(WithdrawalReceipt, "DELETE", f"/v1/consents/{purpose.value}", signed=True)

    def send_report(self, report: Report) -> ReportReceipt:
        """Send a report; sending it again is safe.

        Raises:
            ReportRefusedError: The window is not open, or the API has another report of this device.
        """
        headers = {"Content-Type": "application/json"}
        return self._ask(
            ReportReceipt, "POST", "/v1/statistics/reports", content=report.body, headers=headers, signed=True
        )

    def figure(self, metric: str, window: Window | None = None) -> Figure:
        """Return a released figure, the newest one where no window is named.

        Raises:
            NotReleasedError: There is none.
        """
        query = {} if window is None else {"window": window.name}
        return self._ask(Figure, "GET", f"/v1/statistics/{metric}", params=query, signed=True)

    def current_release(self) -> CurrentRelease:
        """Return the newest release.

        Raises:
            NotReleasedError: There is none yet.
        """
        return self._ask(CurrentRelease, "GET", "/v1/releases/current")

    def _ask(self, form: type[_Answer], method: str, path: str, *, signed: bool = False, **content: Any) -> _Answer:
        response = self._send(method, path, signed=signed, **content)
        try:
            answer: _Answer = _adapter(cast(Hashable, form)).validate_json(response.content)
        except ValidationError:
            raise UnreachableError(_NOT_UNDERSTOOD) from None
        return answer

    def _send(self, method: str, path: str, *, signed: bool, **content: Any) -> httpx.Response:
        if signed and self._signature is None:
            raise UsageError("this device is not enrolled: enroll first")
        try:
            response = self._connection.request(method, path, auth=self._signature if signed else None, **content)
        except httpx.HTTPError as error:
            raise UnreachableError(f"the API doesn't answer: {type(error).__name__}") from None
        if response.is_success:
            return response
        raise _error_of(response)


_NOT_UNDERSTOOD = "the API's answer is not one that this client understands"

_ERRORS: Mapping[str, type[HearsayError]] = {
    "signature-refused": SignatureRefusedError,
    "clock-skew": SignatureRefusedError,
    "nonce-replayed": SignatureRefusedError,
    "consent-missing": ConsentRefusedError,
    "report-conflict": ReportRefusedError,
    "window-not-open": ReportRefusedError,
    "figure-not-released": NotReleasedError,
    "no-release": NotReleasedError,
}


def _error_of(response: httpx.Response) -> HearsayError:
    problem = _problem_of(response)
    slug = str(problem.get("type", "")).rpartition("/")[2]
    said = str(problem.get("detail") or f"HTTP status {response.status_code}")
    if response.is_server_error:
        return UnreachableError(f"the API can't carry the request out: {said}")
    return _ERRORS.get(slug, RefusedError)(said)


def _problem_of(response: httpx.Response) -> dict[str, Any]:
    try:
        problem = response.json()
    except ValueError:
        return {}
    return problem if isinstance(problem, dict) else {}


def _trust(ca_file: Path | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=None if ca_file is None else str(ca_file))
    except (OSError, ssl.SSLError):
        raise BadInputError(f"{ca_file} holds no certificates that can be used") from None


@cache
def _adapter(form: Hashable) -> TypeAdapter[Any]:
    return TypeAdapter(cast(Any, form))
