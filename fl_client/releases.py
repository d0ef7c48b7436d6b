"""A device's updates: find the newest release it is offered, verify it, try it, and only then put it in place.

The Update Framework decides what is trusted: an old, held back, altered, cut or wrongly signed release is refused, and
whatever goes wrong, the last good release stays in use. Nothing about the device is sent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from tuf.api.exceptions import (
    DownloadError,
    DownloadHTTPError,
    DownloadLengthMismatchError,
    ExpiredMetadataError,
    LengthOrHashMismatchError,
    RepositoryError,
)
from tuf.api.metadata import Metadata, Root, TargetFile
from tuf.ngclient import Updater
from tuf.ngclient.fetcher import FetcherInterface

from fl_client.release_download import BoundedFetcher
from fl_client.release_store import BUCKETS, InstalledRelease, ReleaseStore, ReleaseStoreError
from models.domain.release import ENROLMENT_KEY
from models.durable_file import write_durably
from models.errors import ModelFileError, SignatureRefusedError, UnreachableError, UsageError

RELEASED_FILES = ("detector.int8.ort", "detector.int8.onnx", "detector.json")
"""What a release consists of."""

POINTER = "releases/current.json"
"""Its signed custom metadata names the versions that may be offered, newest first."""

_KEY_BYTES = 32
_LARGEST_FILE_BYTES = 64_000_000
_BUCKETS_A_PERCENT = BUCKETS // 100

Detector = TypeVar("Detector")


@dataclass(frozen=True, slots=True)
class Update:
    """What came of an update.

    Attributes:
        installed: The release in use afterwards; ``None`` where nothing was ever published.
        changed: Whether it is another one than before.
    """

    installed: InstalledRelease | None
    changed: bool


def trust_root(home: Path, root_metadata: bytes) -> None:
    """Give a device the root metadata that it shall trust, once, by a way that is trusted.

    Raises:
        ModelFileError: That isn't root metadata.
        SignatureRefusedError: The device trusts another root already.
        ReleaseStoreError: The device's folder can't be written.
    """
    store = ReleaseStore(home)
    _refuse_other_than_root(root_metadata)
    with _update_errors("the trusted root"):
        if not store.root_file.exists():
            write_durably(store.root_file, root_metadata)
        elif store.root_file.read_bytes() != root_metadata:
            raise SignatureRefusedError("this device trusts another root already")


def update_release(
    home: Path, base_url: str, check: Callable[[Path], object], *, fetcher: FetcherInterface | None = None
) -> Update:
    """Install the newest release that this device is offered.

    Args:
        home: The device's folder; ``trust_root`` was called for it.
        base_url: Of the API; metadata and files are below ``/v1/releases/``.
        check: Loads a detector from a directory and raises where it can't; called before anything is swapped.
        fetcher: How to download; within time limits by default.

    Raises:
        UsageError: No root is trusted yet, or the address isn't one of HTTP.
        UnreachableError: The server doesn't answer, or not with the file.
        SignatureRefusedError: What it sent isn't what was signed, is old, or has expired.
        ModelFileError: It was signed, and still no detector loads from it.
        RefusedError: Another update is running.
        ReleaseStoreError: The device's folder is damaged or can't be written.
    """
    store = ReleaseStore(home)
    with _update_errors(_shown(base_url)), store.sole_user():
        installed = next(iter(store.installed()), None)
        updater = _trusting_updater(store, base_url, fetcher or BoundedFetcher())
        version = _offered_version(updater, store, above=installed.version if installed else 0)
        if version is None:
            return Update(installed, changed=False)
        with store.download_folder() as folder:
            for name in RELEASED_FILES:
                updater.download_target(_released_file(updater, version, name), str(folder / name))
            check(folder)
            return Update(store.install(version, folder), changed=True)


def fetch_enrolment_key(home: Path, base_url: str, *, fetcher: FetcherInterface | None = None) -> bytes:
    """Return the public key that certifies devices for secure rounds, as the repository's offline keys signed it.

    Args:
        home: The device's folder; ``trust_root`` was called for it.
        base_url: Of the API.
        fetcher: How to download; within time limits by default.

    Raises:
        UsageError: No root is trusted yet, or the address isn't one of HTTP.
        UnreachableError: The server doesn't answer, or not with the file.
        SignatureRefusedError: No such key is signed, or what was sent is another one.
        RefusedError: An update is running.
        ReleaseStoreError: The device's folder is damaged or can't be written.
    """
    store = ReleaseStore(home)
    with _update_errors(_shown(base_url)), store.sole_user(), store.download_folder() as folder:
        updater = _trusting_updater(store, base_url, fetcher or BoundedFetcher())
        target = updater.get_targetinfo(ENROLMENT_KEY)
        if target is None or target.length != _KEY_BYTES:
            raise SignatureRefusedError("the repository lists no key that certifies devices for secure rounds")
        return Path(updater.download_target(target, str(folder / "authority.pub"))).read_bytes()


def load_installed(home: Path, load: Callable[[Path], Detector]) -> tuple[InstalledRelease, Detector]:
    """Load the installed release, or the good one before it where the newest was damaged on the device.

    Raises:
        ModelFileError: There is none that loads.
        ReleaseStoreError: The device's list of releases is damaged.
    """
    for release in ReleaseStore(home).installed():
        try:
            return release, load(release.directory)
        except ModelFileError:
            continue
    raise ModelFileError(f"{home}: no release is installed that can be loaded; update this device first")


def _trusting_updater(store: ReleaseStore, base_url: str, fetcher: FetcherInterface) -> Updater:
    if urlsplit(base_url).scheme not in ("http", "https") or not urlsplit(base_url).hostname:
        raise UsageError("expected the address of an API, such as https://example.org")
    if not store.root_file.exists():
        raise UsageError("this device trusts no root yet: give it the repository's root metadata once (--root FILE)")
    store.metadata.mkdir(parents=True, exist_ok=True)
    releases = f"{base_url.rstrip('/')}/v1/releases"
    root = store.root_file.read_bytes()
    return Updater(
        str(store.metadata),
        f"{releases}/metadata/",
        target_base_url=f"{releases}/targets/",
        fetcher=fetcher,
        bootstrap=root,
    )


def _offered_version(updater: Updater, store: ReleaseStore, *, above: int) -> int | None:
    """Return the newest version that is newer than the device's own and offered to the device's bucket."""
    pointer = updater.get_targetinfo(POINTER)
    if pointer is None:
        return None
    for version in _signed_versions(pointer):
        if version <= above:
            return None
        if store.bucket(version) < _rollout_percent(updater, version) * _BUCKETS_A_PERCENT:
            return version
    return None


def _signed_versions(pointer: TargetFile) -> list[int]:
    offered = pointer.custom.get("offered") if isinstance(pointer.custom, dict) else None
    if not isinstance(offered, list) or not all(type(version) is int and version > 0 for version in offered):
        raise ModelFileError("the signed list of releases can't be understood; this app may be too old for it")
    return offered


def _rollout_percent(updater: Updater, version: int) -> int:
    custom = _released_file(updater, version, RELEASED_FILES[0]).custom
    percent = custom.get("rollout_percent") if isinstance(custom, dict) else None
    if type(percent) is not int:
        raise ModelFileError(f"release {version}: its signed rollout can't be understood")
    return percent


def _released_file(updater: Updater, version: int, name: str) -> TargetFile:
    target = updater.get_targetinfo(f"releases/{version}/{name}")
    if target is None or target.length > _LARGEST_FILE_BYTES:
        raise ModelFileError(f"release {version}: {name} is missing or too large")
    return target


def _refuse_other_than_root(content: bytes) -> None:
    try:
        metadata = Metadata[Root].from_bytes(content)
    except RepositoryError:
        metadata = None
    if metadata is None or not isinstance(metadata.signed, Root):
        raise ModelFileError("that isn't TUF root metadata")


def _shown(base_url: str) -> str:
    """Return what of an address may stand in an error: it can hold a password or a token."""
    parts = urlsplit(base_url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


@contextmanager
def _update_errors(place: str) -> Iterator[None]:
    """Say in our words what went wrong; the order goes from the narrow error to the wide one."""
    try:
        yield
    except ExpiredMetadataError as error:
        reason = "its signatures have expired: updates are held back, or this device's clock is wrong"
        raise SignatureRefusedError(f"{place}: {reason}") from error
    except (LengthOrHashMismatchError, DownloadLengthMismatchError) as error:
        raise SignatureRefusedError(f"{place}: a file isn't the one that was signed") from error
    except RepositoryError as error:
        raise SignatureRefusedError(f"{place}: its metadata was refused: {error}") from error
    except DownloadHTTPError as error:
        raise UnreachableError(f"{place}: doesn't have a release's file (HTTP {error.status_code})") from error
    except DownloadError as error:
        raise UnreachableError(f"{place}: {error}") from error
    except OSError as error:
        raise ReleaseStoreError(f"the device's releases can't be written: {error.strerror}") from error
