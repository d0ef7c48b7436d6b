"""Devices' secrets at rest: AES-256-GCM, bound to the device's id, so that rows can't be swapped."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from api.keys import KeyRing

_NONCE_BYTES = 12


@dataclass(frozen=True, slots=True)
class SealedSecret:
    """An encrypted secret and the id of the key that opens it."""

    sealed: bytes
    key_id: str


def seal_secret(ring: KeyRing, device_id: str, secret: bytes) -> SealedSecret:
    """Return a device's secret, encrypted under the ring's current key."""
    nonce = secrets.token_bytes(_NONCE_BYTES)
    cipher = AESGCM(ring.keys[ring.current])
    return SealedSecret(nonce + cipher.encrypt(nonce, secret, device_id.encode()), ring.current)


def open_secret(ring: KeyRing, device_id: str, sealed: SealedSecret) -> bytes | None:
    """Return a device's secret, or ``None`` where its key is gone or it was sealed for another device."""
    key = ring.keys.get(sealed.key_id)
    if key is None:
        return None
    try:
        return AESGCM(key).decrypt(sealed.sealed[:_NONCE_BYTES], sealed.sealed[_NONCE_BYTES:], device_id.encode())
    except InvalidTag:
        return None
