"""The API's secret keys on disk: they encrypt devices' secrets, sign people's tokens and certify identities."""

from __future__ import annotations

import base64
import json
import logging
import secrets
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from models.durable_file import create_durably, write_durably
from models.errors import BadInputError, HearsayError, RefusedError

ENCRYPTION_FILE = "encryption-keys.json"
TOKEN_FILE = "token-signing-keys.json"  # noqa: S105 - a file's name

AUTHORITY_FILE = "enrolment-authority.json"

_FILES = (ENCRYPTION_FILE, TOKEN_FILE, AUTHORITY_FILE)

KEY_BYTES = 32
"""Of an AES-256 key, and of the seed of an Ed25519 key."""

_log = logging.getLogger("hearsay.api")


@dataclass(frozen=True, slots=True, repr=False)
class KeyRing:
    """Keys by id, so that what an older key made stays readable after a new one was put in front.

    Attributes:
        current: Id of the key that new things are made with.
        keys: Secret bytes by id, newest first.
    """

    current: str
    keys: Mapping[str, bytes]


class Keys:
    """All keys of the API. A file that changed is read again, so that keys are rotated without a restart."""

    def __init__(self, directory: Path) -> None:
        """Read all keys.

        Raises:
            BadInputError: They are absent or damaged.
            RefusedError: Others than their owner may read them.
        """
        self._paths = {name: directory / name for name in _FILES}
        self._read = {name: _read_ring(path) for name, path in self._paths.items()}

    @property
    def encryption(self) -> KeyRing:
        """AES-256 keys that seal devices' secrets."""
        return self._ring(ENCRYPTION_FILE)

    @property
    def tokens(self) -> KeyRing:
        """Ed25519 seeds that sign access tokens."""
        return self._ring(TOKEN_FILE)

    @property
    def authority(self) -> Ed25519PrivateKey:
        """What certifies devices' identity keys at enrolment; its public half belongs among the TUF targets."""
        ring = self._ring(AUTHORITY_FILE)
        return Ed25519PrivateKey.from_private_bytes(ring.keys[ring.current])

    def _ring(self, name: str) -> KeyRing:
        stamp, ring = self._read[name]
        try:
            if _stamp(self._paths[name]) != stamp:
                stamp, ring = self._read[name] = _read_ring(self._paths[name])
        except (HearsayError, OSError):
            _log.error("%s changed and can't be used: the keys read before stay in use", name)
        return ring


def make_keys(directory: Path) -> list[Path]:
    """Make the keys that are absent, readable by their owner only, and return the files that were made.

    Raises:
        BadInputError: The directory can't be written to.
    """
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        return [path for name in _FILES if (path := _make_ring(directory / name))]
    except OSError as error:
        raise BadInputError(f"can't make keys in {directory}: {error.strerror}") from None


def load_keys(directory: Path) -> Keys:
    """Return the keys of a directory.

    Raises:
        BadInputError: They are absent or damaged.
        RefusedError: Others than their owner may read them.
    """
    return Keys(directory)


def require_private(path: Path) -> None:
    """Return only if nobody but its owner may read a secret file, or it isn't there.

    Raises:
        RefusedError: Others may.
    """
    if path.exists() and stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise RefusedError(f"{path} may be read by others than its owner: chmod 600 it")


def add_key(path: Path) -> None:
    """Put a new key in front of a ring; what older ones made stays readable.

    Raises:
        BadInputError: The ring can't be read or written.
        RefusedError: Others than its owner may read it.
    """
    _, ring = _read_ring(path)
    key_id = _new_id()
    _write_ring(path, KeyRing(key_id, {key_id: secrets.token_bytes(KEY_BYTES), **ring.keys}))


def drop_keys(path: Path, keep: int) -> None:
    """Take all but the newest keys of a ring away.

    Raises:
        BadInputError: The ring can't be read or written.
        RefusedError: Others than its owner may read it.
    """
    _, ring = _read_ring(path)
    _write_ring(path, KeyRing(ring.current, dict(list(ring.keys.items())[:keep])))


def _make_ring(path: Path) -> Path | None:
    key_id = _new_id()
    try:
        create_durably(path, _encode(KeyRing(key_id, {key_id: secrets.token_bytes(KEY_BYTES)})))
    except FileExistsError:
        return None
    return path


def _write_ring(path: Path, ring: KeyRing) -> None:
    try:
        write_durably(path, _encode(ring))
    except OSError as error:
        raise BadInputError(f"{path} can't be written: {error.strerror}") from None


def _encode(ring: KeyRing) -> bytes:
    keys = {key_id: base64.b64encode(key).decode() for key_id, key in ring.keys.items()}
    return json.dumps({"current": ring.current, "keys": keys}).encode()


def _new_id() -> str:
    return secrets.token_hex(4)


def _stamp(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_ino, found.st_mtime_ns


def _read_ring(path: Path) -> tuple[tuple[int, int], KeyRing]:
    """Return a ring with its file's stamp, taken first: a file that changes meanwhile is read once too often."""
    try:
        stamp = _stamp(path)
    except OSError:
        stamp = (0, 0)
    return stamp, _load_ring(path)


def _load_ring(path: Path) -> KeyRing:
    try:
        require_private(path)
        text = path.read_text("ascii")
    except FileNotFoundError:
        raise BadInputError(f"{path} is not there: `python -m api migrate` makes it") from None
    except (OSError, UnicodeDecodeError):
        raise BadInputError(f"{path} can't be read") from None
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
