"""The keys that a device trains under: Flower's node key and the identity of secure aggregation, both made here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from models.domain.training_keys import PublicTrainingKeys
from models.durable_file import write_durably
from models.errors import BadInputError

NODE_KEY_FILE = "node-key.pem"
IDENTITY_KEY_FILE = "identity-key.pem"


@dataclass(frozen=True, slots=True, repr=False)
class TrainingKeys:
    """Two private keys. Sensitive: they never leave the device.

    Attributes:
        node: Signs in to Flower's SuperLink; EC P-384.
        identity: Signs in secure aggregation; Ed25519.
    """

    node: ec.EllipticCurvePrivateKey
    identity: Ed25519PrivateKey

    @property
    def public(self) -> PublicTrainingKeys:
        """What the API may know of them."""
        der = self.node.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return PublicTrainingKeys(der, self.identity.public_key().public_bytes_raw())

    def proofs(self) -> tuple[bytes, bytes]:
        """Return the node key's and the identity key's signature of both public keys."""
        statement = self.public.statement
        return self.node.sign(statement, ec.ECDSA(hashes.SHA384())), self.identity.sign(statement)


def make_training_keys() -> TrainingKeys:
    """Return new keys from the operating system's randomness."""
    return TrainingKeys(ec.generate_private_key(ec.SECP384R1()), Ed25519PrivateKey.generate())


def save_training_keys(keys: TrainingKeys, folder: Path) -> None:
    """Write keys, readable by their owner only; the node key's file is one that Flower's SuperNode takes."""
    for name, key in ((NODE_KEY_FILE, keys.node), (IDENTITY_KEY_FILE, keys.identity)):
        write_durably(folder / name, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def load_training_keys(folder: Path) -> TrainingKeys:
    """Return saved keys.

    Raises:
        BadInputError: They are absent or damaged.
    """
    node, identity = (_load(folder / name) for name in (NODE_KEY_FILE, IDENTITY_KEY_FILE))
    if not isinstance(node, ec.EllipticCurvePrivateKey) or not isinstance(identity, Ed25519PrivateKey):
        raise BadInputError(f"{folder}: the keys to train under are of another kind")
    return TrainingKeys(node, identity)


def _load(path: Path) -> object:
    try:
        return load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError):
        raise BadInputError(f"{path}: no key can be read here") from None
