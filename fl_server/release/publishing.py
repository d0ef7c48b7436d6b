"""Releases: publish one, widen or narrow its rollout, go back to an earlier one under a new version.

A device finds the versions it may be offered in the signed custom metadata of ``releases/current.json``, and each one's
rollout percentage in that of its files: nothing outside signed metadata is trusted.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fl_server.registry import Registry, sole_writer
from fl_server.release.metadata import LIFETIMES, Lifetimes
from fl_server.release.repository import read_online, replace_releases
from fl_server.release.signing import SigningKeys
from fl_server.release.targets import (
    EVERY_DEVICE,
    POINTER,
    RELEASED_FILES,
    PublishedRelease,
    Targets,
    describe_release,
    files_of,
    find_target,
    newest_version,
    put_file,
    read_released,
    released_versions,
    target_path,
)
from models.domain.profile import PROFILE_FILE, ReleaseProfile, read_profile, write_profile
from models.domain.release import releases_digest
from models.errors import ModelFileError, ReleasesChangedError, UsageError


@dataclass(frozen=True, slots=True)
class ReleaseOrder:
    """The operator's order that a change carries out; the change is signed with its name and never made twice.

    Attributes:
        name: Of the record in the registry.
        releases: ``releases_digest`` of the releases that it was given under.
    """

    name: str
    releases: str


def read_releases(registry: Registry, keys: SigningKeys) -> list[PublishedRelease]:
    """Return all releases, the oldest first.

    Raises:
        RegistryError: The repository is missing or damaged.
        SignatureRefusedError: It was last written with other keys.
    """
    targets = read_online(registry, keys).releases.signed.targets
    return [describe_release(targets, version) for version in released_versions(targets)]


def publish_release(
    registry: Registry,
    keys: SigningKeys,
    exported_dir: Path,
    version: int,
    rollout_percent: int = EVERY_DEVICE,
    notes: str = "",
    *,
    profile: ReleaseProfile | None = None,
    lifetimes: Lifetimes = LIFETIMES,
    now: datetime | None = None,
) -> PublishedRelease:
    """Sign an exported detector into the repository.

    Args:
        registry: The repository's registry.
        keys: The online keys.
        exported_dir: Holds ``RELEASED_FILES``.
        version: Above every version there is.
        rollout_percent: Share of devices that are offered it, a whole number from 0 to 100.
        notes: For people; never anything from a call.
        profile: What it was like on the acceptance set; signed beside the files, for whoever watches for drift.
        lifetimes: How long the metadata is believed.
        now: When it is signed; this machine's clock by default.

    Raises:
        UsageError: The version isn't new or not the profile's, or the percentage isn't one.
        ModelFileError: A file is missing from ``exported_dir``.
        RegistryError: The repository is missing, damaged or can't be written.
        SignatureRefusedError: It was last written with other keys.
    """
    if profile is not None and profile.version != version:
        raise UsageError(f"expected the profile of release {version}, got that of {profile.version}")
    contents = {name: _read_exported(exported_dir / name) for name in RELEASED_FILES} | _profile_file(profile)
    with sole_writer(registry):
        targets = read_online(registry, keys).releases.signed.targets
        targets |= _add_files(registry, contents, version, rollout_percent, notes, after=newest_version(targets))
        return _offer(registry, keys, targets, version, lifetimes, now)


def roll_back(
    registry: Registry,
    keys: SigningKeys,
    to_version: int,
    rollout_percent: int = EVERY_DEVICE,
    notes: str = "",
    *,
    order: ReleaseOrder | None = None,
    lifetimes: Lifetimes = LIFETIMES,
    now: datetime | None = None,
) -> PublishedRelease:
    """Publish an earlier release's files under the next version; devices never go back to a lower one.

    Called again for an order that was carried out, it returns what came of it.

    Raises:
        UsageError: There is no such version, or the percentage isn't one.
        ReleasesChangedError: The order was given under other releases.
        RegistryError: The repository is missing, damaged or can't be written.
        SignatureRefusedError: It was last written with other keys.
    """
    with sole_writer(registry):
        targets = read_online(registry, keys).releases.signed.targets
        if order is not None and (done := _find_done(targets, order)):
            return done
        version = newest_version(targets) + 1
        contents = {name: read_released(registry, targets, to_version, name) for name in RELEASED_FILES}
        contents |= _profile_file(_profile_again(registry, targets, to_version, version, now or datetime.now(UTC)))
        targets |= _add_files(registry, contents, version, rollout_percent, notes, after=newest_version(targets))
        return _offer(registry, keys, targets, version, lifetimes, now, order)


def set_rollout(
    registry: Registry,
    keys: SigningKeys,
    version: int,
    rollout_percent: int,
    *,
    order: ReleaseOrder | None = None,
    lifetimes: Lifetimes = LIFETIMES,
    now: datetime | None = None,
) -> PublishedRelease:
    """Offer a release to another share of the devices. Devices that have it keep it.

    Called again for an order that was carried out, it returns what came of it.

    Raises:
        UsageError: There is no such version, or the percentage isn't one.
        ReleasesChangedError: The order was given under other releases.
        RegistryError: The repository is missing, damaged or can't be written.
        SignatureRefusedError: It was last written with other keys.
    """
    _refuse_other_than_percent(rollout_percent)
    with sole_writer(registry):
        targets = read_online(registry, keys).releases.signed.targets
        if order is not None and (done := _find_done(targets, order)):
            return done
        for name in files_of(targets, version):
            find_target(targets, version, name).custom["rollout_percent"] = rollout_percent
        return _offer(registry, keys, targets, version, lifetimes, now, order)


def _add_files(
    registry: Registry, contents: dict[str, bytes], version: int, rollout_percent: int, notes: str, *, after: int
) -> Targets:
    _refuse_other_than_percent(rollout_percent)
    if version <= after:
        raise UsageError(f"expected a version above {after}, got {version}")
    custom = {"version": version, "rollout_percent": rollout_percent, "notes": notes}
    return {
        target_path(version, name): put_file(registry, target_path(version, name), content, dict(custom))
        for name, content in contents.items()
    }


def _offer(
    registry: Registry,
    keys: SigningKeys,
    targets: Targets,
    version: int,
    lifetimes: Lifetimes,
    now: datetime | None,
    order: ReleaseOrder | None = None,
) -> PublishedRelease:
    done = _last_done(targets) if order is None else {"order": order.name, "version": version}
    offered = _offered(targets)
    content = json.dumps({"offered": offered}).encode()
    targets[POINTER] = put_file(registry, POINTER, content, {"offered": offered, "done": done})
    replace_releases(registry, keys, targets, lifetimes=lifetimes, now=now)
    return describe_release(targets, version)


def _offered(targets: Targets) -> list[int]:
    """Return versions, newest first, down to the first that every device gets."""
    offered: list[int] = []
    for version in reversed(released_versions(targets)):
        offered.append(version)
        if describe_release(targets, version).rollout_percent == EVERY_DEVICE:
            break
    return offered


def _find_done(targets: Targets, order: ReleaseOrder) -> PublishedRelease | None:
    """Return what came of an order that was carried out before a kill; ``None`` where it is still to be done."""
    done = _last_done(targets)
    if done is not None and done["order"] == order.name:
        return describe_release(targets, done["version"])
    if order.releases != releases_digest(
        {version: describe_release(targets, version).rollout_percent for version in released_versions(targets)}
    ):
        raise ReleasesChangedError("the releases aren't those that this order was given under")
    return None


def _last_done(targets: Targets) -> dict[str, Any] | None:
    """Return the last order that was carried out, as it was signed with what came of it."""
    return targets[POINTER].custom.get("done") if POINTER in targets else None


def _profile_file(profile: ReleaseProfile | None) -> dict[str, bytes]:
    return {} if profile is None else {PROFILE_FILE: write_profile(profile)}


def _profile_again(
    registry: Registry, targets: Targets, earlier: int, version: int, now: datetime
) -> ReleaseProfile | None:
    """Return an earlier release's profile for its files under another version; ``None`` where it has none."""
    if target_path(earlier, PROFILE_FILE) not in targets:
        return None
    profile = read_profile(read_released(registry, targets, earlier, PROFILE_FILE))
    return profile.again(version, int(now.timestamp()))


def _read_exported(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelFileError(f"{path}: can't be read: {error.strerror}") from error


def _refuse_other_than_percent(rollout_percent: int) -> None:
    if rollout_percent not in range(EVERY_DEVICE + 1):
        raise UsageError(f"expected a rollout of 0 to 100 percent, got {rollout_percent}")
