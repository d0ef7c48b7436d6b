"""Who is a device: a long-lived Ed25519 key that the enrolment authority certified. Devices sign with it.

Without certificates a server could put devices of its own into every roster. It still can, if the authority helps it,
or if it enrols many devices like anybody else: neither is excluded.
"""

from __future__ import annotations

from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

_CERTIFICATE = b"hearsay identity certificate/2 "
_END_BYTES, _SIGNATURE_BYTES = 8, 64

CERTIFICATE_BYTES = _END_BYTES + _SIGNATURE_BYTES

LIFETIME_SECONDS = 90 * 86_400
"""How long a certificate is good for; a device asks for another before. So a stolen key is of no use for ever."""

MARGIN_SECONDS = 3_600
"""So much longer than now a server asks certificates to be good: else one could end between its look and a device's."""


@dataclass(frozen=True, slots=True, repr=False)
class Identity:
    """A device's own signing key and its certificate.

    Attributes:
        key: Secret; it never leaves the device.
        certificate: The authority's word for the public half, until a certain time; `CERTIFICATE_BYTES` bytes.
    """

    key: Ed25519PrivateKey
    certificate: bytes

    @property
    def public_key(self) -> bytes:
        """The public half, 32 bytes."""
        return self.key.public_key().public_bytes_raw()


def certify_identity(authority: Ed25519PrivateKey, public_key: bytes, now: float) -> bytes:
    """Return the certificate of a device's public key: when it ends, and the authority's signature of both.

    Args:
        authority: The enrolment authority's key.
        public_key: The device's, 32 bytes.
        now: Seconds since the start of 1970.
    """
    end = (int(now) + LIFETIME_SECONDS).to_bytes(_END_BYTES)
    return end + authority.sign(_CERTIFICATE + end + public_key)


def is_certified(authority: bytes, public_key: bytes, certificate: bytes, now: float) -> bool:
    """Say whether the authority, by its public key, certified a device's public key for a time that isn't over."""
    end, signature = certificate[:_END_BYTES], certificate[_END_BYTES:]
    return end_of_certificate(certificate) > now and is_signed(authority, _CERTIFICATE + end + public_key, signature)


def end_of_certificate(certificate: bytes) -> int:
    """Return when a certificate says that it ends, in seconds since the start of 1970. Nothing is verified."""
    return int.from_bytes(certificate[:_END_BYTES])


def is_signed(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Say whether a signature is of this key and of this message. Malformed keys signed nothing."""
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True
