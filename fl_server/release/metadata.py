"""The signed files of the TUF repository: what each says, how long it is believed, how it is read and written.

Source: The Update Framework, specification 1.0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from tuf.api.exceptions import RepositoryError, StorageError
from tuf.api.metadata import (
    DelegatedRole,
    Delegations,
    Key,
    Metadata,
    MetaFile,
    Root,
    Snapshot,
    TargetFile,
    Targets,
    Timestamp,
)

from fl_server.registry import Registry
from fl_server.release.signing import Role, SigningKeys
from models.durable_file import READABLE_BY_ALL, write_durably
from models.errors import RegistryError

DELEGATED_PATHS = ["releases/*", "releases/*/*"]
"""What the online releases key may sign; a star never matches a slash."""


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """How long signed metadata is believed. A device that meets nothing newer by then knows that it is held back."""

    root: timedelta = timedelta(days=365)
    targets: timedelta = timedelta(days=365)
    releases: timedelta = timedelta(days=90)
    snapshot: timedelta = timedelta(days=14)
    timestamp: timedelta = timedelta(days=3)

    def of(self, role: Role) -> timedelta:
        """Return a role's lifetime."""
        lifetime: timedelta = getattr(self, role)
        return lifetime


LIFETIMES = Lifetimes()


@dataclass(frozen=True, slots=True)
class Online:
    """The metadata that the online keys sign. Each is listed in the next: releases, snapshot, timestamp."""

    releases: Metadata[Targets]
    snapshot: Metadata[Snapshot]
    timestamp: Metadata[Timestamp]

    def of(self, role: Role) -> Metadata[Any]:
        """Return a role's metadata."""
        metadata: Metadata[Any] = getattr(self, role)
        return metadata

    def list_in_parent(self, role: Role, content: bytes) -> None:
        """Enter a file that was just written in the metadata that leads to it."""
        entry = MetaFile.from_data(self.of(role).signed.version, content, ["sha256"])
        if role is Role.RELEASES:
            self.snapshot.signed.meta["releases.json"] = entry
        elif role is Role.SNAPSHOT:
            self.timestamp.signed.snapshot_meta = entry

    def list_targets(self, version: int, content: bytes) -> None:
        """Enter the top-level targets metadata, which the offline keys sign."""
        self.snapshot.signed.meta["targets.json"] = MetaFile.from_data(version, content, ["sha256"])

    def count_up(self, roles: Sequence[Role]) -> None:
        """Give the metadata of some roles the next version."""
        for role in roles:
            self.of(role).signed.version += 1


@dataclass(frozen=True, slots=True)
class SigningTerms:
    """How new metadata is signed: when, for how long, and how many keys of a role it takes."""

    now: datetime
    lifetimes: Lifetimes
    threshold: int = 1

    def expiry(self, role: Role) -> datetime:
        """Return until when a role's metadata is believed."""
        return self.now + self.lifetimes.of(role)


def build_root(offline: SigningKeys, online: SigningKeys, version: int, terms: SigningTerms) -> Metadata[Root]:
    """Return root metadata, not yet signed.

    Raises:
        RegistryError: A role has fewer keys than the threshold.
    """
    root = Root(version=version, expires=terms.expiry(Role.ROOT), consistent_snapshot=True)
    holders = {Role.ROOT: offline, Role.TARGETS: offline, Role.SNAPSHOT: online, Role.TIMESTAMP: online}
    for role, holder in holders.items():
        for key in _enough_keys(holder, role, terms.threshold):
            root.add_key(key, role)
        root.roles[role].threshold = terms.threshold
    return Metadata(root)


def build_targets(
    online: SigningKeys, version: int, terms: SigningTerms, listed: Sequence[TargetFile]
) -> Metadata[Targets]:
    """Return top-level targets metadata that lists files of its own and delegates the releases, not yet signed.

    Raises:
        RegistryError: The releases role has fewer keys than the threshold.
    """
    keys = {key.keyid: key for key in _enough_keys(online, Role.RELEASES, terms.threshold)}
    role = DelegatedRole(Role.RELEASES, list(keys), terms.threshold, terminating=True, paths=DELEGATED_PATHS)
    delegations = Delegations(keys, {Role.RELEASES: role})
    own = {target.path: target for target in listed}
    return Metadata(Targets(version=version, expires=terms.expiry(Role.TARGETS), targets=own, delegations=delegations))


def sign_online(
    registry: Registry, keys: SigningKeys, online: Online, roles: Sequence[Role], terms: SigningTerms
) -> None:
    """Sign and write the metadata of some roles, in the order in which each is listed in the next."""
    for role in roles:
        metadata = online.of(role)
        metadata.signed.expires = terms.expiry(role)
        keys.sign(role, metadata)
        online.list_in_parent(role, write_metadata(registry, role, metadata))


def write_metadata(registry: Registry, role: Role, metadata: Metadata[Any]) -> bytes:
    """Put signed metadata in its place and return its bytes.

    Raises:
        RegistryError: The folder can't be written.
    """
    content = metadata.to_bytes()
    name = "timestamp.json" if role is Role.TIMESTAMP else f"{metadata.signed.version}.{role}.json"
    try:
        write_durably(registry.metadata / name, content, READABLE_BY_ALL)
    except OSError as error:
        raise RegistryError(f"{registry.metadata}: can't be written: {error.strerror}") from error
    return content


def read_metadata(path: Path) -> Metadata[Any]:
    """Return a metadata file; nobody has checked who signed it.

    Raises:
        RegistryError: It is missing or damaged.
    """
    try:
        return Metadata.from_file(str(path))
    except (StorageError, RepositoryError) as error:
        raise RegistryError(f"{path}: not TUF metadata that can be read") from error


def read_listed(registry: Registry, role: Role, entry: MetaFile) -> Metadata[Any]:
    """Return the version of a role's metadata that its parent lists; nobody has checked who signed it.

    Raises:
        RegistryError: It is missing or damaged.
    """
    return read_metadata(registry.metadata / f"{entry.version}.{role}.json")


def _enough_keys(holder: SigningKeys, role: Role, threshold: int) -> list[Key]:
    keys = holder.public_keys(role)
    if not 1 <= threshold <= len(keys):
        raise RegistryError(f"{role}: expected a threshold from 1 to the {len(keys)} keys there are, got {threshold}")
    return keys
