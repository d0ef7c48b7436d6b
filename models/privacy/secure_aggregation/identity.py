"""Who is a device: a long-lived Ed25519 key that the enrolment authority certified. Devices sign with it.

Without certificates a server could put devices of its own into every roster. It still can, if the authority helps it,
or if it enrols many devices like anybody else: neither is excluded.
"""

from __future__ import annotations

from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

_CERTIFICATE = b"hearsay identity certificate/1 "


@dataclass(frozen=True, slots=True, repr=False)
class Identity:
    """A device's own signing key and its certificate.

    Attributes:
        key: Secret; it never leaves the device.
        certificate: The authority's signature of the public half, 64 bytes.
    """

    key: Ed25519PrivateKey
    certificate: bytes

    @property
    def public_key(self) -> bytes:
        """The public half, 32 bytes."""
        return self.key.public_key().public_bytes_raw()


def certify_identity(authority: Ed25519PrivateKey, public_key: bytes) -> bytes:
    """Return the certificate of a device's public key, for enrolment."""
    return authority.sign(_CERTIFICATE + public_key)


def is_certified(authority: bytes, public_key: bytes, certificate: bytes) -> bool:
    """Say whether the authority, by its public key, certified a device's public key."""
    return is_signed(authority, _CERTIFICATE + public_key, certificate)


def is_signed(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Say whether a signature is of this key and of this message. Malformed keys signed nothing."""
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True
