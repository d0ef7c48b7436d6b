"""The registry's releases as files: what may be served, and how long others may keep it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOR_EVER = "public, max-age=31536000, immutable"
"""For files whose name changes with their content."""

ASK_EVERY_TIME = "no-cache"
"""For the timestamp, and whatever else may change under its name."""

_VERSIONED_METADATA = re.compile(r"[0-9]+\.[a-z-]+\.json")
_HASHED_TARGET = re.compile(r"[0-9a-f]{64}(?:[0-9a-f]{64})?\..+")
_SEGMENT = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*")


@dataclass(frozen=True, slots=True)
class PublishedFile:
    """A file that may be served.

    Attributes:
        size: In bytes.
        etag: Changes whenever the file does.
        cache_control: As HTTP writes it.
    """

    path: Path
    size: int
    etag: str
    cache_control: str


@dataclass(frozen=True, slots=True)
class PublishedRelease:
    """A release, told to people; devices believe only what is signed.

    Attributes:
        rollout_percent: Share of devices that are offered it.
        files: Name, size in bytes and SHA-256 of each.
    """

    version: int
    rollout_percent: int
    notes: str
    files: tuple[tuple[str, int, str], ...]


class RegistryUnreadableError(Exception):
    """The registry holds metadata that can't be read; nothing of it is quoted."""


def find_metadata(registry: Path, name: str) -> PublishedFile | None:
    """Return a metadata file, ``None`` where there is none of that name."""
    return _find(registry / "metadata", name, FOR_EVER if _VERSIONED_METADATA.fullmatch(name) else ASK_EVERY_TIME)


def find_target(registry: Path, name: str) -> PublishedFile | None:
    """Return a released file, ``None`` where there is none of that name."""
    hashed = _HASHED_TARGET.fullmatch(name.rpartition("/")[2])
    return _find(registry / "targets", name, FOR_EVER if hashed else ASK_EVERY_TIME)


def read_releases(registry: Path) -> tuple[PublishedRelease, ...]:
    """Return all releases, the oldest first; none where nothing was released yet.

    Raises:
        RegistryUnreadableError: The registry is gone, its metadata is damaged, or names files that aren't there.
    """
    metadata = registry / "metadata"
    try:
        if not (metadata / "timestamp.json").exists():
            _require_untouched(registry)
            return ()
        timestamp = _signed(metadata / "timestamp.json")
        snapshot = _signed(metadata / f"{timestamp['meta']['snapshot.json']['version']}.snapshot.json")
        releases = _signed(metadata / f"{snapshot['meta']['releases.json']['version']}.releases.json")
        return _describe_all(releases["targets"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise RegistryUnreadableError from error


def _require_untouched(registry: Path) -> None:
    """Tell a registry that nothing was released into from one that lost what every release has."""
    released = [*registry.glob("metadata/*.snapshot.json"), *registry.glob("targets/releases/*")]
    if released or not registry.is_dir():
        raise RegistryUnreadableError


def _find(folder: Path, name: str, cache_control: str) -> PublishedFile | None:
    # Every segment is plain, so no name leads out of the folder; resolving catches links that do.
    if not all(_SEGMENT.fullmatch(segment) for segment in name.split("/")):
        return None
    path = folder / name
    try:
        if not path.resolve().is_relative_to(folder.resolve()) or not path.is_file():
            return None
        status = path.stat()
    except OSError:
        return None
    return PublishedFile(path, status.st_size, f'"{status.st_mtime_ns:x}-{status.st_size:x}"', cache_control)


def _signed(path: Path) -> dict[str, Any]:
    signed: dict[str, Any] = json.loads(path.read_bytes())["signed"]
    return signed


def _describe_all(targets: dict[str, Any]) -> tuple[PublishedRelease, ...]:
    found: dict[int, dict[str, Any]] = {}
    for path, target in targets.items():
        if "version" in target.get("custom", {}):
            found.setdefault(int(target["custom"]["version"]), {})[path] = target
    return tuple(_describe(version, files) for version, files in sorted(found.items()))


def _describe(version: int, files: dict[str, Any]) -> PublishedRelease:
    custom = next(iter(files.values()))["custom"]
    return PublishedRelease(
        version,
        int(custom["rollout_percent"]),
        str(custom["notes"]),
        tuple(
            (path.rpartition("/")[2], int(target["length"]), str(target["hashes"]["sha256"]))
            for path, target in sorted(files.items())
        ),
    )
