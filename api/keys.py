"""The API's secret keys on disk: one that encrypts devices' secrets and one that signs people's tokens."""

from __future__ import annotations

import base64
import json
import os
import secrets
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from models.errors import BadInputError, RefusedError

ENCRYPTION_FILE = "encryption-keys.json"
TOKEN_FILE = "token-signing-keys.json"  # noqa: S105 - a file's name

KEY_BYTES = 32
"""Of an AES-256 key, and of the seed of an Ed25519 key."""

_OWNER_ONLY = 0o600


@dataclass(frozen=True, slots=True, repr=False)
class KeyRing:
    """Keys by id, so that what an older key made stays readable after a new one was put in front.

    Attributes:
        current: Id of the key that new things are made with.
        keys: Secret bytes by id.
    """

    current: str
    keys: Mapping[str, bytes]


@dataclass(frozen=True, slots=True, repr=False)
class Keys:
    """All keys of the API."""

    encryption: KeyRing
    tokens: KeyRing


def make_keys(directory: Path) -> list[Path]:
    """Make the keys that are absent, readable by their owner only, and return the files that were made.

    Raises:
        BadInputError: The directory can't be written to.
    """
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        return [path for name in (ENCRYPTION_FILE, TOKEN_FILE) if (path := _make_ring(directory / name))]
    except OSError as error:
        raise BadInputError(f"can't make keys in {directory}: {error.strerror}") from None


def load_keys(directory: Path) -> Keys:
    """Return the keys of a directory.

    Raises:
        BadInputError: They are absent or damaged.
        RefusedError: Others than their owner may read them.
    """
    return Keys(encryption=_load_ring(directory / ENCRYPTION_FILE), tokens=_load_ring(directory / TOKEN_FILE))


def _make_ring(path: Path) -> Path | None:
    key_id = secrets.token_hex(4)
    key = base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNER_ONLY)
    except FileExistsError:
        return None
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        json.dump({"current": key_id, "keys": {key_id: key}}, file)
        file.flush()
        os.fsync(file.fileno())
    return path


def _load_ring(path: Path) -> KeyRing:
    try:
        mode = path.stat().st_mode
        text = path.read_text("ascii")
    except FileNotFoundError:
        raise BadInputError(f"{path} is not there: `python -m api migrate` makes it") from None
    except (OSError, UnicodeDecodeError):
        raise BadInputError(f"{path} can't be read") from None
    if stat.S_IMODE(mode) & 0o077:
        raise RefusedError(f"{path} may be read by others than its owner: chmod 600 it")
    return _parse_ring(path, text)


def _parse_ring(path: Path, text: str) -> KeyRing:
    try:
        found = json.loads(text)
        ring = KeyRing(
            current=str(found["current"]),
            keys={str(name): base64.b64decode(key, validate=True) for name, key in found["keys"].items()},
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        raise BadInputError(f"{path} is damaged: it holds no key that can be used") from None
    if ring.current not in ring.keys or any(len(key) != KEY_BYTES for key in ring.keys.values()):
        raise BadInputError(f"{path} is damaged: its keys have the wrong size")
    return ring
