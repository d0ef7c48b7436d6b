"""Enrolling a device and letting it leave."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from sqlalchemy import Connection

from api.devices import repository
from api.devices.vault import seal_secret
from api.keys import KeyRing

_SECRET_BYTES = 32
_ID_BYTES = 16


@dataclass(frozen=True, slots=True, repr=False)
class Enrolment:
    """What a device gets once and the server never shows again.

    Attributes:
        device_id: Random; nothing of the phone goes into it.
        secret: Sensitive: signs the device's requests; dies with this answer, but for its sealed copy.
    """

    device_id: str
    secret: bytes


def enroll_device(connection: Connection, ring: KeyRing) -> Enrolment:
    """Make a device's id and secret and store them, the secret encrypted."""
    enrolment = Enrolment(secrets.token_hex(_ID_BYTES), secrets.token_bytes(_SECRET_BYTES))
    repository.add_device(connection, enrolment.device_id, seal_secret(ring, enrolment.device_id, enrolment.secret))
    return enrolment


def remove_device(connection: Connection, device_id: str) -> None:
    """Destroy a device's secret, its consents, its nonces and its reports on windows that are still open."""
    repository.remove_device(connection, device_id)
