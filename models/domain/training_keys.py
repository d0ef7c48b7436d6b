"""The public keys that a device trains under, and what it signs to show that they are its own."""

from __future__ import annotations

from dataclasses import dataclass

_STATEMENT = b"hearsay training keys/1 "


@dataclass(frozen=True, slots=True)
class PublicTrainingKeys:
    """Two keys that belong to one device.

    Attributes:
        node_key: Flower's: the DER (SubjectPublicKeyInfo) of an EC P-384 key.
        identity_key: For secure aggregation: an Ed25519 key, 32 bytes.
    """

    node_key: bytes
    identity_key: bytes

    @property
    def statement(self) -> bytes:
        """What both keys sign (ECDSA with SHA-384, and Ed25519), so that nobody enrols somebody else's."""
        return _STATEMENT + self.identity_key + self.node_key
