"""The releases as the repository's metadata lists them: which files of which version, and where they lie."""

from __future__ import annotations

from dataclasses import dataclass

from tuf.api.metadata import TargetFile

from fl_server.registry import Registry
from models.domain.profile import PROFILE_FILE
from models.durable_file import READABLE_BY_ALL, write_durably
from models.errors import RegistryError, UsageError

RELEASED_FILES = ("detector.int8.ort", "detector.int8.onnx", "detector.json")
"""What of an exported detector reaches devices; the FP32 graph stays at home."""

POINTER = "releases/current.json"

EVERY_DEVICE = 100
"""Percent."""

Targets = dict[str, TargetFile]
"""Path in the repository to what is signed of the file."""


@dataclass(frozen=True, slots=True)
class PublishedFile:
    """A released file."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class PublishedRelease:
    """A release as the repository's metadata describes it.

    Attributes:
        version: Counts from 1 and never goes back.
        rollout_percent: Share of devices that are offered it, a whole number from 0 to 100.
        notes: For people; signed like everything else.
        files: What devices download.
    """

    version: int
    rollout_percent: int
    notes: str
    files: tuple[PublishedFile, ...]


def describe_release(targets: Targets, version: int) -> PublishedRelease:
    """Return a release.

    Raises:
        UsageError: There is no such version.
    """
    files = [(name, find_target(targets, version, name)) for name in RELEASED_FILES]
    custom = files[0][1].custom
    return PublishedRelease(
        version,
        custom["rollout_percent"],
        custom["notes"],
        tuple(PublishedFile(name, target.length, target.hashes["sha256"]) for name, target in files),
    )


def released_versions(targets: Targets) -> list[int]:
    """Return all versions, the oldest first."""
    return sorted({target.custom["version"] for path, target in targets.items() if path != POINTER})


def newest_version(targets: Targets) -> int:
    """Return the newest version; 0 where nothing was released yet."""
    return max(released_versions(targets), default=0)


def files_of(targets: Targets, version: int) -> tuple[str, ...]:
    """Return the names of a version's files: older releases have no profile."""
    has_profile = target_path(version, PROFILE_FILE) in targets
    return (*RELEASED_FILES, PROFILE_FILE) if has_profile else RELEASED_FILES


def find_target(targets: Targets, version: int, name: str) -> TargetFile:
    """Return what is signed of a version's file.

    Raises:
        UsageError: There is no such version.
    """
    try:
        return targets[target_path(version, name)]
    except KeyError:
        raise UsageError(f"there is no release {version}") from None


def target_path(version: int, name: str) -> str:
    """Return the path of a version's file in the repository."""
    return f"releases/{version}/{name}"


def put_file(registry: Registry, path: str, content: bytes, custom: dict[str, object]) -> TargetFile:
    """Put a file in its place, and return what is to be signed of it.

    Raises:
        RegistryError: The folder can't be written.
    """
    target = TargetFile.from_data(path, content, ["sha256"])
    target.unrecognized_fields["custom"] = custom
    try:
        write_durably(registry.targets / target.get_prefixed_paths()[0], content, READABLE_BY_ALL)
    except OSError as error:
        raise RegistryError(f"{registry.targets}: can't be written: {error.strerror}") from error
    return target


def read_released(registry: Registry, targets: Targets, version: int, name: str) -> bytes:
    """Return the content of a version's file.

    Raises:
        UsageError: There is no such version.
        RegistryError: The file can't be read.
    """
    target = find_target(targets, version, name)
    try:
        return (registry.targets / target.get_prefixed_paths()[0]).read_bytes()
    except OSError as error:
        raise RegistryError(f"release {version}: {name} can't be read: {error.strerror}") from error
