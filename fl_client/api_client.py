"""The typed client of the API that everything of ours on a device talks through. It imports no torch."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypeVar

import httpx

from fl_client.api_answers import Consent, ConsentText, CurrentRelease, Figure, ReportReceipt, WithdrawalReceipt
from fl_client.api_connection import NOT_UNDERSTOOD, send, understand
from fl_client.report_book import Report
from fl_client.request_signing import Credentials, DeviceSignature
from fl_client.training_keys import TrainingKeys
from models.domain.consent import Purpose
from models.domain.window import Window
from models.errors import UnreachableError, UsageError

_Answer = TypeVar("_Answer")


@dataclass(frozen=True, slots=True)
class _Enrolment:
    device_id: str
    secret: str
    certificate: str | None = None


@dataclass(frozen=True, slots=True)
class _Certified:
    certificate: str


@dataclass(frozen=True, slots=True)
class _Secret:
    secret: str


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

    def enroll(self, keys: TrainingKeys | None = None) -> Credentials:
        """Enrol a new device and return its credentials. They are shown this once: store them encrypted.

        Args:
            keys: What it will train under; they can be sent later, too.
        """
        body = None if keys is None else {"training_keys": _spell_keys(keys)}
        answer = self._ask(_Enrolment, "POST", "/v1/devices", json=body)
        certificate = None if answer.certificate is None else _decode(answer.certificate)
        return Credentials(answer.device_id, _decode(answer.secret), certificate)

    def send_training_keys(self, keys: TrainingKeys) -> bytes:
        """Bring keys to train under, or others in place of them, and return the identity key's certificate."""
        answer = self._ask(_Certified, "PUT", "/v1/devices/self/training-keys", json=_spell_keys(keys), signed=True)
        return _decode(answer.certificate)

    def rotate_secret(self, credentials: Credentials) -> Credentials:
        """Return credentials with another secret. The old one works until the new one is used: store it first."""
        answer = self._ask(_Secret, "POST", "/v1/devices/self/secret", signed=True)
        return replace(credentials, secret=_decode(answer.secret))

    def link_person(self, access_token: str) -> None:
        """Say that this device is the person's who holds an access token."""
        headers = {"Authorization": f"Bearer {access_token}"}
        self._send("PUT", "/v1/devices/self/person", headers=headers, signed=True)

    def unlink_person(self) -> None:
        """Make this device nobody's again."""
        self._send("DELETE", "/v1/devices/self/person", signed=True)

    def leave(self) -> None:
        """Destroy the device at the API with everything that is tied to it."""
        self._send("DELETE", "/v1/devices/self", signed=True)

    def consent_texts(self) -> tuple[ConsentText, ...]:
        """Return the texts in force."""
        return self._ask(tuple[ConsentText, ...], "GET", "/v1/consents/texts")

    def give_consent(self, text: ConsentText, guardian_record: str | None = None) -> Consent:
        """Record that the person consented under a text that they were shown.

        Args:
            text: What they were shown.
            guardian_record: Given to the guardian of a child under 14; without it the person declares to be older.
        """
        body: dict[str, Any] = {"purpose": text.purpose.value, "text_version": text.version, "language": text.language}
        body["is_under_14"] = guardian_record is not None
        if guardian_record is not None:
            body["guardian_record"] = guardian_record
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
        return understand(form, self._send(method, path, signed=signed, **content))

    def _send(self, method: str, path: str, *, signed: bool, **content: Any) -> httpx.Response:
        if signed and self._signature is None:
            raise UsageError("this device is not enrolled: enroll first")
        return send(self._connection, method, path, auth=self._signature if signed else None, **content)


def _spell_keys(keys: TrainingKeys) -> dict[str, str]:
    public, (node_proof, identity_proof) = keys.public, keys.proofs()
    spelled = {
        "node_key": public.node_key,
        "identity_key": public.identity_key,
        "node_proof": node_proof,
        "identity_proof": identity_proof,
    }
    return {name: base64.b64encode(value).decode() for name, value in spelled.items()}


def _decode(value: str) -> bytes:
    try:
        return base64.b64decode(value, validate=True)
    except binascii.Error:
        raise UnreachableError(NOT_UNDERSTOOD) from None
