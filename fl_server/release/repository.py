"""The TUF repository in a registry: made once with the offline keys, changed and renewed with the online ones.

Every change writes new metadata under the next version (consistent snapshots) and ``timestamp.json`` last, so that a
device that fetches meanwhile, and a publisher killed half-way, meet the old state or the new, never a mixture.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime

from tuf.api.exceptions import UnsignedMetadataError
from tuf.api.metadata import Metadata, Root, Snapshot, TargetFile, Targets, Timestamp

from fl_server.registry import Registry, sole_writer
from fl_server.release.metadata import (
    LIFETIMES,
    Lifetimes,
    Online,
    SigningTerms,
    build_root,
    build_targets,
    read_listed,
    read_metadata,
    sign_online,
    write_metadata,
)
from fl_server.release.signing import ONLINE_ROLES, Role, SigningKeys
from models.domain.release import ENROLMENT_KEY
from models.durable_file import READABLE_BY_ALL, write_durably
from models.errors import RegistryError, SignatureRefusedError


def create_repository(
    registry: Registry,
    offline: SigningKeys,
    online: SigningKeys,
    *,
    threshold: int = 1,
    lifetimes: Lifetimes = LIFETIMES,
    now: datetime | None = None,
    enrolment_key: bytes | None = None,
) -> bytes:
    """Make an empty repository and return its root metadata, which devices must be given by a way they trust.

    Args:
        registry: Where the repository is made.
        offline: Holds the root and the top-level targets keys.
        online: Holds the releases, snapshot and timestamp keys; only their public halves are written.
        threshold: Signatures of different keys that each role needs.
        lifetimes: How long each role's metadata is believed.
        now: When it is made; this machine's clock by default.
        enrolment_key: Public key of the authority that certifies devices for secure rounds; none by default.

    Raises:
        RegistryError: There is a repository already, or a role has fewer keys than ``threshold``.
    """
    terms = SigningTerms(now or datetime.now(UTC), lifetimes, threshold)
    with sole_writer(registry):
        # The timestamp is written last: without it an earlier attempt was killed, and nobody trusts what it left.
        if (registry.metadata / "timestamp.json").exists():
            raise RegistryError(f"{registry.metadata}: there is a repository already")
        root, targets = (
            build_root(offline, online, 1, terms),
            build_targets(online, 1, terms, _list_enrolment_key(registry, enrolment_key)),
        )
        offline.sign(Role.ROOT, root)
        offline.sign(Role.TARGETS, targets)
        empty = Online(Metadata(Targets()), Metadata(Snapshot()), Metadata(Timestamp()))
        root_content = write_metadata(registry, Role.ROOT, root)
        empty.list_targets(1, write_metadata(registry, Role.TARGETS, targets))
        sign_online(registry, online, empty, ONLINE_ROLES, terms)
    return root_content


def read_online(registry: Registry, keys: SigningKeys) -> Online:
    """Return what the online keys signed last.

    It is verified against those keys: whoever can write the folder still can't get a word of theirs signed.

    Raises:
        RegistryError: There is no repository, or a file of it is damaged.
        SignatureRefusedError: A file wasn't signed by these keys.
    """
    online = _read_online_unchecked(registry)
    for role in ONLINE_ROLES:
        keys.verify_own(role, online.of(role))
    return online


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
    online.count_up(ONLINE_ROLES)
    sign_online(registry, keys, online, ONLINE_ROLES, SigningTerms(now or datetime.now(UTC), lifetimes))


def renew(
    registry: Registry, keys: SigningKeys, *, lifetimes: Lifetimes = LIFETIMES, now: datetime | None = None
) -> list[Role]:
    """Sign again what has less than half of its life left, and return what was signed.

    To be called often (every hour, say): devices refuse metadata that has expired. What the offline keys signed is
    renewed by ``exchange_keys``.

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
        online.count_up(due)
        sign_online(registry, keys, online, due, SigningTerms(now, lifetimes))
    return due


def exchange_keys(
    registry: Registry,
    before: SigningKeys,
    offline: SigningKeys,
    online: SigningKeys,
    *,
    threshold: int = 1,
    lifetimes: Lifetimes = LIFETIMES,
    now: datetime | None = None,
    enrolment_key: bytes | None = None,
) -> bytes:
    """Let other keys sign from now on, or the same ones for another lifetime, and return the new root metadata.

    Devices follow by themselves, from whichever root they trust: each root is signed by the keys of the one before. The
    online keys that were used so far aren't needed, so stolen or lost ones can be replaced; look at the releases first
    (``read_releases`` with the new keys) when they were stolen. A device that asks in the moment between the new root
    and the new timestamp is refused once. Killed half-way, it can be called again with the same keys.

    Args:
        registry: Holds the repository.
        before: The offline keys so far.
        offline: The offline keys from now on; ``before`` where they stay.
        online: The online keys from now on.
        threshold: Signatures of different keys that each role needs.
        lifetimes: How long each role's metadata is believed.
        now: When it is signed; this machine's clock by default.
        enrolment_key: The enrolment authority's public key from now on: named anew, or it is listed no more.

    Raises:
        RegistryError: The repository is missing or damaged, or a role has fewer keys than ``threshold``.
        SignatureRefusedError: ``before`` didn't sign the root, or another file isn't signed by the keys it names.
    """
    terms = SigningTerms(now or datetime.now(UTC), lifetimes, threshold)
    with sole_writer(registry):
        trusted, state = _read_trusted(registry, before)
        targets_version = state.snapshot.signed.meta["targets.json"].version + 1
        root = build_root(offline, online, trusted.version + 1, terms)
        targets = build_targets(online, targets_version, terms, _list_enrolment_key(registry, enrolment_key))
        before.sign(Role.ROOT, root)
        offline.add_signatures(Role.ROOT, root)
        offline.sign(Role.TARGETS, targets)
        state.list_targets(targets_version, write_metadata(registry, Role.TARGETS, targets))
        state.count_up(ONLINE_ROLES)
        *listed, last = ONLINE_ROLES
        sign_online(registry, online, state, listed, terms)
        content = write_metadata(registry, Role.ROOT, root)
        sign_online(registry, online, state, [last], terms)
    return content


def _list_enrolment_key(registry: Registry, key: bytes | None) -> list[TargetFile]:
    """Put the enrolment authority's public key among the targets and return its entry, if there is a key."""
    if key is None:
        return []
    target = TargetFile.from_data(ENROLMENT_KEY, key, ["sha256"])
    try:
        write_durably(registry.targets / target.get_prefixed_paths()[0], key, READABLE_BY_ALL)
    except OSError as error:
        raise RegistryError(f"{registry.targets}: can't be written: {error.strerror}") from error
    return [target]


def _read_online_unchecked(registry: Registry) -> Online:
    timestamp: Metadata[Timestamp] = read_metadata(registry.metadata / "timestamp.json")
    snapshot: Metadata[Snapshot] = read_listed(registry, Role.SNAPSHOT, timestamp.signed.snapshot_meta)
    releases: Metadata[Targets] = read_listed(registry, Role.RELEASES, snapshot.signed.meta["releases.json"])
    return Online(releases, snapshot, timestamp)


def _read_trusted(registry: Registry, keys: SigningKeys) -> tuple[Root, Online]:
    """Return the newest root that these keys signed and that leads to the rest; one that doesn't was left by a kill."""
    own = {key.keyid for key in keys.public_keys(Role.ROOT)}
    for version in sorted(
        (int(path.name.split(".")[0]) for path in registry.metadata.glob("*.root.json")), reverse=True
    ):
        root: Metadata[Root] = read_metadata(registry.metadata / f"{version}.root.json")
        if own != set(root.signed.roles[Role.ROOT].keyids):
            continue
        keys.verify_own(Role.ROOT, root)
        with suppress(SignatureRefusedError):
            return root.signed, _read_verified(registry, root.signed)
    raise SignatureRefusedError("no root metadata that these keys signed leads to the rest of the repository")


def _read_verified(registry: Registry, root: Root) -> Online:
    """Return what was signed online, verified from the root down as a device does."""
    online = _read_online_unchecked(registry)
    targets: Metadata[Targets] = read_listed(registry, Role.TARGETS, online.snapshot.signed.meta["targets.json"])
    try:
        for role, metadata in ((Role.TIMESTAMP, online.timestamp), (Role.SNAPSHOT, online.snapshot)):
            root.verify_delegate(role, metadata.signed_bytes, metadata.signatures)
        root.verify_delegate(Role.TARGETS, targets.signed_bytes, targets.signatures)
        targets.signed.verify_delegate(Role.RELEASES, online.releases.signed_bytes, online.releases.signatures)
    except UnsignedMetadataError as error:
        raise SignatureRefusedError(f"the registry's metadata wasn't signed by the keys it names: {error}") from error
    return online
