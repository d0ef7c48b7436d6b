"""Enrolling a device, giving it another secret, and letting it leave."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from api.devices import repository
from api.devices.nodes import expel_node
from api.devices.vault import open_secret, seal_secret
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


def rotate_secret(connection: Connection, ring: KeyRing, device_id: str) -> bytes:
    """Return another secret for a device. The old one works until the new one is used for the first time."""
    secret = secrets.token_bytes(_SECRET_BYTES)
    repository.set_waiting_secret(connection, device_id, seal_secret(ring, device_id, secret))
    return secret


def remove_device(connection: Connection, device_id: str, now: datetime) -> None:
    """Destroy a device's secret, keys, consents, nonces and reports on open windows, and order its node's removal."""
    expel_node(connection, device_id, now)
    repository.remove_device(connection, device_id)


def seal_anew(connection: Connection, ring: KeyRing, device_id: str) -> bool:
    """Seal a device's secrets under the ring's current key; false where no key opens one of them, which is left so."""
    stored = repository.find_secrets(connection, device_id)
    if stored is None:
        return True
    current = open_secret(ring, device_id, stored.current)
    waiting = None if stored.waiting is None else open_secret(ring, device_id, stored.waiting)
    if current is None or (stored.waiting is not None and waiting is None):
        return False
    repository.replace_secret(connection, device_id, seal_secret(ring, device_id, current))
    if waiting is not None:
        repository.set_waiting_secret(connection, device_id, seal_secret(ring, device_id, waiting))
    return True
