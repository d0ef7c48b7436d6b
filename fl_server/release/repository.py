"""The TUF repository in a registry: made once with the offline keys, changed and renewed with the online ones.

Every change writes new metadata under the next version (consistent snapshots) and ``timestamp.json`` last, so that a
device that fetches meanwhile, and a publisher killed half-way, meet the old state or the new, never a mixture.

Source: The Update Framework, specification 1.0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
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

from fl_server.registry import Registry, RegistryError, sole_writer, write_in_place
from fl_server.release.signing import ONLINE_ROLES, Role, SigningKeys

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


def create_repository(
    registry: Registry,
    offline: SigningKeys,
    online: SigningKeys,
    *,
    threshold: int = 1,
    lifetimes: Lifetimes = LIFETIMES,
    now: datetime | None = None,
) -> bytes:
    """Make an empty repository and return its root metadata, which devices must be given by a way they trust.

    Args:
        registry: Where the repository is made.
        offline: Holds the root and the top-level targets keys.
        online: Holds the releases, snapshot and timestamp keys; only their public halves are written.
        threshold: Signatures of different keys that each role needs.
        lifetimes: How long each role's metadata is believed.
        now: When it is made; this machine's clock by default.

    Raises:
        RegistryError: There is a repository already, or a role has fewer keys than ``threshold``.
    """
    now = now or datetime.now(UTC)
    with sole_writer(registry):
        # The timestamp is written last: without it an earlier attempt was killed, and nobody trusts what it left.
        if (registry.metadata / "timestamp.json").exists():
            raise RegistryError(f"{registry.metadata}: there is a repository already")
        root = Metadata(_root(offline, online, threshold, now + lifetimes.root))
        targets = Metadata(_top_level_targets(online, threshold, now + lifetimes.targets))
        root_content = _sign_and_write(registry, offline, Role.ROOT, root)
        targets_entry = MetaFile.from_data(1, _sign_and_write(registry, offline, Role.TARGETS, targets), ["sha256"])
        empty = Online(Metadata(Targets()), Metadata(Snapshot()), Metadata(Timestamp()))
        empty.snapshot.signed.meta["targets.json"] = targets_entry
        _sign_online(registry, online, empty, ONLINE_ROLES, lifetimes, now)
    return root_content


def read_online(registry: Registry, keys: SigningKeys) -> Online:
    """Return what the online keys signed last.

    It is verified against those keys: whoever can write the folder still can't get a word of theirs signed.

    Raises:
        RegistryError: There is no repository, or a file of it is damaged.
        SignatureRefusedError: A file wasn't signed by these keys.
    """
    timestamp: Metadata[Timestamp] = _read(registry.metadata / "timestamp.json")
    keys.verify_own(Role.TIMESTAMP, timestamp)
    snapshot: Metadata[Snapshot] = _read_listed(registry, Role.SNAPSHOT, timestamp.signed.snapshot_meta)
    keys.verify_own(Role.SNAPSHOT, snapshot)
    releases: Metadata[Targets] = _read_listed(registry, Role.RELEASES, snapshot.signed.meta["releases.json"])
    keys.verify_own(Role.RELEASES, releases)
    return Online(releases, snapshot, timestamp)


def replace_releases(
    registry: Registry,
    keys: SigningKeys,
    targets: Mapping[str, TargetFile],
    *,
    lifetimes: Lifetimes = LIFETIMES,
    now: datetime | None = None,
) -> None:
    """Sign another set of released files, then the snapshot and the timestamp that lead to it.

    The files must be in place before, and the caller holds ``sole_writer``.

    Raises:
        RegistryError: The repository is damaged or can't be written.
        SignatureRefusedError: The repository was last written with other keys.
    """
    online = read_online(registry, keys)
    online.releases.signed.targets = dict(targets)
    _count_up(online, ONLINE_ROLES)
    _sign_online(registry, keys, online, ONLINE_ROLES, lifetimes, now or datetime.now(UTC))


def renew(
    registry: Registry, keys: SigningKeys, *, lifetimes: Lifetimes = LIFETIMES, now: datetime | None = None
) -> list[Role]:
    """Sign again what has less than half of its life left, and return what was signed.

    To be called often (every hour, say): devices refuse metadata that has expired.

    Raises:
        RegistryError: The repository is damaged or can't be written.
        SignatureRefusedError: The repository was last written with other keys.
    """
    now = now or datetime.now(UTC)
    with sole_writer(registry):
        online = read_online(registry, keys)
        ageing = [role for role in ONLINE_ROLES if online.of(role).signed.expires - now < lifetimes.of(role) / 2]
        if not ageing:
            return []
        # A new version of one makes a new version of all that lead to it.
        due = list(ONLINE_ROLES[ONLINE_ROLES.index(ageing[0]) :])
        _count_up(online, due)
        _sign_online(registry, keys, online, due, lifetimes, now)
    return due


def _root(offline: SigningKeys, online: SigningKeys, threshold: int, expires: datetime) -> Root:
    root = Root(expires=expires, consistent_snapshot=True)
    holders = {Role.ROOT: offline, Role.TARGETS: offline, Role.SNAPSHOT: online, Role.TIMESTAMP: online}
    for role, holder in holders.items():
        for key in _enough_keys(holder, role, threshold):
            root.add_key(key, role)
        root.roles[role].threshold = threshold
    return root


def _top_level_targets(online: SigningKeys, threshold: int, expires: datetime) -> Targets:
    keys = {key.keyid: key for key in _enough_keys(online, Role.RELEASES, threshold)}
    role = DelegatedRole(Role.RELEASES, list(keys), threshold, terminating=True, paths=DELEGATED_PATHS)
    return Targets(expires=expires, delegations=Delegations(keys, {Role.RELEASES: role}))


def _enough_keys(holder: SigningKeys, role: Role, threshold: int) -> list[Key]:
    keys = holder.public_keys(role)
    if not 1 <= threshold <= len(keys):
        raise RegistryError(f"{role}: expected a threshold from 1 to the {len(keys)} keys there are, got {threshold}")
    return keys


def _count_up(online: Online, roles: Sequence[Role]) -> None:
    for role in roles:
        online.of(role).signed.version += 1


def _sign_online(
    registry: Registry,
    keys: SigningKeys,
    online: Online,
    roles: Sequence[Role],
    lifetimes: Lifetimes,
    now: datetime,
) -> None:
    for role in roles:
        metadata = online.of(role)
        metadata.signed.expires = now + lifetimes.of(role)
        online.list_in_parent(role, _sign_and_write(registry, keys, role, metadata))


def _sign_and_write(registry: Registry, keys: SigningKeys, role: Role, metadata: Metadata[Any]) -> bytes:
    keys.sign(role, metadata)
    content = metadata.to_bytes()
    name = "timestamp.json" if role is Role.TIMESTAMP else f"{metadata.signed.version}.{role}.json"
    try:
        write_in_place(registry.metadata / name, content)
    except OSError as error:
        raise RegistryError(f"{registry.metadata}: can't be written: {error.strerror}") from error
    return content


def _read_listed(registry: Registry, role: Role, entry: MetaFile) -> Metadata[Any]:
    return _read(registry.metadata / f"{entry.version}.{role}.json")


def _read(path: Path) -> Metadata[Any]:
    try:
        return Metadata.from_file(str(path))
    except (StorageError, RepositoryError) as error:
        raise RegistryError(f"{path}: not TUF metadata that can be read") from error
