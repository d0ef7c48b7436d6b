"""Shares on their way: sealed for one holder, so that the server that carries them can't read or change them.

Source: ChaCha20-Poly1305 (RFC 8439). Each key seals one box in its life, so the nonce may be zero.
"""

from __future__ import annotations

from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from models.errors import ProtocolRefusedError
from models.privacy.secure_aggregation.secret_sharing import SHARE_BYTES

BOX_BYTES = 2 * SHARE_BYTES + 16
"""Two shares and Poly1305's tag."""

_NONCE = bytes(12)


@dataclass(frozen=True, slots=True, repr=False)
class HeldShares:
    """One neighbour's two shares. Secret: at most one of them ever leaves the device.

    Attributes:
        mask_key: Share of the private key of the masks that it has with others; given away if it dropped out.
        seed: Share of the seed of its own mask; given away if it is in the sum.
    """

    mask_key: bytes
    seed: bytes


def seal_shares(shares: HeldShares, key: bytes) -> bytes:
    """Return both shares as a box that only the key's other holder can open."""
    return ChaCha20Poly1305(key).encrypt(_NONCE, shares.mask_key + shares.seed, None)


def open_shares(box: bytes, key: bytes) -> HeldShares:
    """Return what is in a box.

    Raises:
        ProtocolRefusedError: It was sealed under another key, was changed, or holds no two shares.
    """
    try:
        content = ChaCha20Poly1305(key).decrypt(_NONCE, box, None)
    except InvalidTag as error:
        raise ProtocolRefusedError("a box doesn't open") from error
    if len(content) != 2 * SHARE_BYTES:
        raise ProtocolRefusedError("a box holds something else")
    return HeldShares(content[:SHARE_BYTES], content[SHARE_BYTES:])
