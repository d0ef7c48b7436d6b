"""The only module that touches private signing keys: makes them, reads them, signs with them.

Root and top-level targets keys are offline: made in a directory of their own, which is carried away and comes back only
to change who may sign. Releases, snapshot and timestamp keys are online, where releases are published.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from securesystemslib.exceptions import UnverifiedSignatureError
from securesystemslib.signer import CryptoSigner, Key
from tuf.api.metadata import Metadata

from models.errors import BadInputError, RefusedError, SignatureRefusedError

_OWNER_ONLY = 0o077
"""Permission bits that a private key's file must not have."""


class SigningKeyError(BadInputError):
    """A signing key is missing, damaged or was never made."""


class SigningKeyExposedError(RefusedError):
    """A private key can be read by others than its owner."""


class Role(StrEnum):
    """Who signs what. ``RELEASES`` is delegated by ``TARGETS``."""

    ROOT = "root"
    TARGETS = "targets"
    RELEASES = "releases"
    SNAPSHOT = "snapshot"
    TIMESTAMP = "timestamp"


OFFLINE_ROLES = (Role.ROOT, Role.TARGETS)
ONLINE_ROLES = (Role.RELEASES, Role.SNAPSHOT, Role.TIMESTAMP)


@dataclass(frozen=True, slots=True)
class SigningKeys:
    """Private keys by role. Sensitive: lives in this process's memory only and shows nothing of itself."""

    _signers: Mapping[Role, tuple[CryptoSigner, ...]] = field(repr=False)

    def public_keys(self, role: Role) -> list[Key]:
        """Return the public keys of a role.

        Raises:
            SigningKeyError: These keys don't hold that role.
        """
        return [signer.public_key for signer in self._of(role)]

    def sign(self, role: Role, metadata: Metadata[Any]) -> None:
        """Sign metadata with all keys of a role, in place of the signatures that it had.

        Raises:
            SigningKeyError: These keys don't hold that role.
        """
        metadata.signatures.clear()
        self.add_signatures(role, metadata)

    def add_signatures(self, role: Role, metadata: Metadata[Any]) -> None:
        """Sign metadata with all keys of a role, beside the signatures that it has.

        Raises:
            SigningKeyError: These keys don't hold that role.
        """
        for signer in self._of(role):
            metadata.sign(signer, append=True)

    def verify_own(self, role: Role, metadata: Metadata[Any]) -> None:
        """Check that every key of a role signed this metadata, so that nobody else's words are signed again.

        Raises:
            SignatureRefusedError: One of the signatures is missing or wrong.
        """
        for key in self.public_keys(role):
            try:
                key.verify_signature(metadata.signatures[key.keyid], metadata.signed_bytes)
            except (KeyError, UnverifiedSignatureError) as error:
                raise SignatureRefusedError(f"the registry's {role} metadata wasn't signed by our keys") from error

    def _of(self, role: Role) -> tuple[CryptoSigner, ...]:
        try:
            return self._signers[role]
        except KeyError:
            raise SigningKeyError(f"there is no {role} key among these keys") from None


def create_keys(directory: Path, roles: Iterable[Role], *, keys_a_role: int = 1) -> SigningKeys:
    """Make Ed25519 keys in a directory, a PEM file (PKCS 8) a key, readable by the owner only.

    Raises:
        SigningKeyError: A key is there already (none is ever overwritten), or the directory can't be written.
    """
    if keys_a_role < 1:
        raise SigningKeyError(f"expected one key a role or more, got {keys_a_role}")
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        return SigningKeys(
            {
                role: tuple(_create_key(directory / f"{role}-{n}.pem") for n in range(1, keys_a_role + 1))
                for role in roles
            }
        )
    except FileExistsError as error:
        raise SigningKeyError(f"{error.filename}: there is a key already") from error
    except OSError as error:
        raise SigningKeyError(f"{directory}: keys can't be written here: {error.strerror}") from error


def load_keys(directory: Path, roles: Iterable[Role]) -> SigningKeys:
    """Read the keys of some roles from a directory.

    Raises:
        SigningKeyError: A role has no key there, or a key can't be read.
        SigningKeyExposedError: Others than the owner may read a key.
    """
    return SigningKeys({role: _load_role(directory, role) for role in roles})


def _create_key(path: Path) -> CryptoSigner:
    signer = CryptoSigner.generate_ed25519()
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(signer.private_bytes)
        os.fsync(file.fileno())
    return signer


def _load_role(directory: Path, role: Role) -> tuple[CryptoSigner, ...]:
    paths = sorted(directory.glob(f"{role}-*.pem"))
    if not paths:
        raise SigningKeyError(f"{directory}: there is no {role} key")
    return tuple(_load_key(path) for path in paths)


def _load_key(path: Path) -> CryptoSigner:
    try:
        if path.stat().st_mode & _OWNER_ONLY:
            raise SigningKeyExposedError(f"{path}: others may read this private key (expected mode 600)")
        private_key = load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as error:
        raise SigningKeyError(f"{path}: not a private key that can be read") from error
    if not isinstance(private_key, Ed25519PrivateKey):
        raise SigningKeyError(f"{path}: expected an Ed25519 key")
    return CryptoSigner(private_key)
