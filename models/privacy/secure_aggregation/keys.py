"""What two devices agree on without the server: a key each pair, from keys that live for one round.

Source: X25519 (RFC 7748) and HKDF-SHA256 (RFC 5869). The agreed key is bound to what it is for and to both public keys.
"""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from models.errors import ProtocolRefusedError
from models.privacy.secure_aggregation.session import PROTOCOL

KEY_BYTES = 32


def agree_key(own: X25519PrivateKey, other: bytes, purpose: bytes) -> bytes:
    """Return 32 bytes that only the two holders of the private keys can compute.

    Args:
        own: One side's private key.
        other: The other side's public key, 32 bytes.
        purpose: What the key is for; another purpose gives another key.

    Raises:
        ProtocolRefusedError: The other key is no key, or one that gives everybody the same secret.
    """
    try:
        shared = own.exchange(X25519PublicKey.from_public_bytes(other))
    except ValueError as error:
        raise ProtocolRefusedError("a public key is unusable") from error
    return HKDF(SHA256(), KEY_BYTES, salt=None, info=PROTOCOL + b" " + purpose).derive(shared)


def is_usable(public_key: bytes) -> bool:
    """Say whether a public key can be agreed with: it is 32 bytes, and gives not everybody the same secret."""
    try:
        agree_key(X25519PrivateKey.generate(), public_key, b"trial")
    except ProtocolRefusedError:
        return False
    return True


def agree_mask_key(own: X25519PrivateKey, other: bytes, session: bytes) -> bytes:
    """Return the key of the mask that two devices share: the same on both sides."""
    first, second = sorted([own.public_key().public_bytes_raw(), other])
    return agree_key(own, other, b"mask " + session + first + second)


def agree_box_key(own: X25519PrivateKey, other: bytes, roster: bytes, sender: bytes, receiver: bytes) -> bytes:
    """Return the key of the one box that ``sender`` sends ``receiver`` in a round; both are public keys."""
    return agree_key(own, other, b"box " + roster + sender + receiver)
