"""Rotating the API's keys while it runs: a new key in front, secrets sealed anew, older keys taken away."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Engine

from api.database import empty_log, transaction
from api.devices import repository
from api.devices.service import seal_anew
from api.keys import ENCRYPTION_FILE, TOKEN_FILE, add_key, drop_keys, load_keys
from api.security_events import CONSOLE, SecurityEvent, record_event
from models.errors import BadInputError

_BATCH = 200
"""Devices whose secrets are sealed anew in one transaction, so that requests needn't wait long."""


@dataclass(frozen=True, slots=True)
class Rotation:
    """What was done.

    Attributes:
        encryption_key: Id of the key that seals from now on.
        token_key: Id of the key that signs from now on.
        sealed_anew: Devices whose secrets an older key had sealed.
    """

    encryption_key: str
    token_key: str
    sealed_anew: int


def rotate_keys(engine: Engine, directory: Path, *, retire: bool = False) -> Rotation:
    """Put new keys in front; running processes take them up with their next request.

    The keys before the new ones stay for what is under way, until the next rotation takes them away.

    Args:
        engine: Migrated.
        directory: Of the keys.
        retire: Take the older keys away at once, as after a leak: access tokens that they signed end now.

    Raises:
        BadInputError: The keys can't be read or written, or a secret can't be opened; then no key is taken away.
        RefusedError: Others than their owner may read the keys.
    """
    paths = [directory / name for name in (ENCRYPTION_FILE, TOKEN_FILE)]
    for path in paths:
        add_key(path)
    keys = load_keys(directory)
    with transaction(engine) as connection:
        record_event(connection, SecurityEvent.KEYS_ROTATED, CONSOLE, datetime.now(UTC))
    found, lost = _seal_all(engine, directory)
    if lost:
        raise BadInputError(f"the secrets of {lost} devices can't be opened: no key was taken away; bring the old ones")
    empty_log(engine)
    for path in paths:
        drop_keys(path, keep=1 if retire else 2)
    return Rotation(keys.encryption.current, keys.tokens.current, found)


def _seal_all(engine: Engine, directory: Path) -> tuple[int, int]:
    """Seal every secret under the current key and return how many devices there were, and how many were left."""
    ring = load_keys(directory).encryption
    with transaction(engine, write=False) as connection:
        found = repository.devices_sealed_otherwise(connection, ring.current)
    lost = 0
    for start in range(0, len(found), _BATCH):
        with transaction(engine) as connection:
            lost += sum(not seal_anew(connection, ring, device_id) for device_id in found[start : start + _BATCH])
    return len(found), lost
