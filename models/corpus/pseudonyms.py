"""Keyed pseudonyms in place of calls' ids, and the key, which is kept apart from what it protects (PIPA 28-4)."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import stat
from dataclasses import dataclass, field
from pathlib import Path

from models.durable_file import create_durably
from models.errors import KeyExposedError, PseudonymKeyError

_KEY_BYTES = 32
_PSEUDONYM_BYTES = 16
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True, slots=True)
class PseudonymKey:
    """Whoever holds it can tell which pseudonym an id has. Never in a report, a message or a log."""

    secret: bytes = field(repr=False)

    def pseudonym_of(self, call_id: str) -> str:
        """Return the pseudonym of an id: HMAC-SHA-256 (RFC 2104), cut to 128 bits."""
        digest = hmac.digest(self.secret, call_id.encode(), hashlib.sha256)
        return f"p-{digest[:_PSEUDONYM_BYTES].hex()}"

    @property
    def fingerprint(self) -> str:
        """Tells two keys apart without giving either away."""
        return hmac.digest(self.secret, b"fingerprint of a pseudonym key", hashlib.sha256)[:8].hex()


def load_or_create_key(path: Path) -> PseudonymKey:
    """Read a key, or draw one from the operating system and write it, readable by its owner only.

    The same key gives the same pseudonyms, so that two deliveries of one institution can be joined.

    Raises:
        KeyExposedError: Others than the owner may read it.
        PseudonymKeyError: It isn't a key, or can't be read or written.
    """
    try:
        if not path.exists():
            create_durably(path, secrets.token_bytes(_KEY_BYTES).hex().encode() + b"\n")
        if os.stat(path).st_mode & _OTHERS:
            raise KeyExposedError(f"{path}: others than the owner may read this key: chmod 600 it, or use another")
        secret = bytes.fromhex(path.read_text(encoding="ascii").strip())
    except OSError as error:
        raise PseudonymKeyError(f"{path}: the key can't be read or written: {error.strerror}") from None
    except ValueError:
        raise PseudonymKeyError(f"{path}: this is not a key of ours") from None
    if len(secret) != _KEY_BYTES:
        raise PseudonymKeyError(f"{path}: expected a key of {_KEY_BYTES} bytes, got {len(secret)}")
    return PseudonymKey(secret)
