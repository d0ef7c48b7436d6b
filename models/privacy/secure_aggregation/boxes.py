"""Shares on their way: sealed for one holder, so that the server that carries them can't read or change them.

Before what is sealed stand two commitments, one to each share, which everybody may read. The holder compares them with
what it finds inside, the server with what the holder gives later: so a share that doesn't fit is its holder's fault.

Source: ChaCha20-Poly1305 (RFC 8439). Each key seals one box in its life, so the nonce may be zero. A share is uniform
among 2^256 and more, so its hash hides it, also from whoever knows fewer shares of the secret than are needed.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from models.errors import ProtocolRefusedError
from models.privacy.secure_aggregation.secret_sharing import SHARE_BYTES, is_share
from models.privacy.secure_aggregation.session import PROTOCOL

_COMMITMENT_BYTES = 32

BOX_BYTES = 2 * _COMMITMENT_BYTES + 2 * SHARE_BYTES + 16
"""Two commitments, two shares and Poly1305's tag."""

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

    def commitments(self) -> bytes:
        """Return what a box says of both shares in clear."""
        return _commit(self.mask_key) + _commit(self.seed)


def seal_shares(shares: HeldShares, key: bytes) -> bytes:
    """Return both shares as a box that only the key's other holder can open."""
    return shares.commitments() + ChaCha20Poly1305(key).encrypt(_NONCE, shares.mask_key + shares.seed, None)


def open_shares(box: bytes, key: bytes) -> HeldShares:
    """Return what is in a box.

    Raises:
        ProtocolRefusedError: It was sealed under another key, was changed, or holds other than the two shares that it
            commits to.
    """
    commitments, sealed = box[: 2 * _COMMITMENT_BYTES], box[2 * _COMMITMENT_BYTES :]
    try:
        content = ChaCha20Poly1305(key).decrypt(_NONCE, sealed, None)
    except InvalidTag as error:
        raise ProtocolRefusedError("a box doesn't open") from error
    shares = HeldShares(content[:SHARE_BYTES], content[SHARE_BYTES:])
    if not (is_share(shares.mask_key) and is_share(shares.seed)) or shares.commitments() != commitments:
        raise ProtocolRefusedError("a box holds something else")
    return shares


def is_mask_key_share(box: bytes, share: bytes) -> bool:
    """Say whether this is the share of a mask key that a box commits to."""
    return _commit(share) == box[:_COMMITMENT_BYTES]


def is_seed_share(box: bytes, share: bytes) -> bool:
    """Say whether this is the share of a seed that a box commits to."""
    return _commit(share) == box[_COMMITMENT_BYTES : 2 * _COMMITMENT_BYTES]


def _commit(share: bytes) -> bytes:
    return hashlib.sha256(PROTOCOL + b" share " + share).digest()
