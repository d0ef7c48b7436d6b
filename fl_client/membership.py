"""What a device keeps of its enrolment: the API's address, its credentials, and the keys that it trains under."""

from __future__ import annotations

import base64
import json
import stat
from dataclasses import dataclass
from pathlib import Path

from fl_client.request_signing import Credentials
from models.durable_file import write_durably
from models.errors import BadInputError, RefusedError, UsageError

_FILE = "enrolment.json"
_KEYS = "training-keys"


@dataclass(frozen=True, slots=True)
class Membership:
    """A device's place at an API.

    Attributes:
        url: The API's address.
        ca_file: Certificates to trust instead of the system's.
        credentials: Sensitive: kept in a file that only its owner may read.
    """

    url: str
    ca_file: Path | None
    credentials: Credentials


def keys_folder(home: Path) -> Path:
    """Return where a device keeps the keys that it trains under."""
    return home / _KEYS


def save_membership(home: Path, membership: Membership) -> None:
    """Keep a membership, readable by its owner only."""
    credentials = membership.credentials
    certificate = credentials.certificate
    content = {
        "url": membership.url,
        "ca_file": None if membership.ca_file is None else str(membership.ca_file),
        "device_id": credentials.device_id,
        "secret": base64.b64encode(credentials.secret).decode(),
        "certificate": None if certificate is None else base64.b64encode(certificate).decode(),
    }
    try:
        write_durably(home / _FILE, json.dumps(content).encode())
    except OSError as error:
        raise BadInputError(f"{home}: the enrolment can't be kept here: {error.strerror}") from None


def is_enrolled(home: Path) -> bool:
    """Say whether a device has a membership."""
    return (home / _FILE).exists()


def load_membership(home: Path) -> Membership:
    """Return a device's membership.

    Raises:
        UsageError: The device isn't enrolled.
        RefusedError: Others than its owner may read it.
        BadInputError: It is damaged.
    """
    path = home / _FILE
    try:
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise RefusedError(f"{path} may be read by others than its owner: chmod 600 it")
        return _parse(json.loads(path.read_bytes()))
    except FileNotFoundError:
        raise UsageError(f"{home}: this device is not enrolled: enroll first") from None
    except (OSError, ValueError, KeyError, TypeError):
        raise BadInputError(f"{path} is damaged") from None


def forget_membership(home: Path) -> None:
    """Delete a membership and the keys that belong to it."""
    for path in (home / _FILE, *keys_folder(home).glob("*.pem")):
        path.unlink(missing_ok=True)


def _parse(found: dict[str, str | None]) -> Membership:
    secret, certificate, ca_file = str(found["secret"]), found["certificate"], found["ca_file"]
    credentials = Credentials(
        str(found["device_id"]),
        base64.b64decode(secret, validate=True),
        None if certificate is None else base64.b64decode(certificate, validate=True),
    )
    return Membership(str(found["url"]), None if ca_file is None else Path(ca_file), credentials)
