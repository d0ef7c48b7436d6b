"""The releases that a device holds: the installed one, the good one before it, and the device's place in rollouts."""

from __future__ import annotations

import fcntl
import hashlib
import json
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from models.durable_file import write_durably
from models.errors import BadInputError, RefusedError

BUCKETS = 10_000
"""Places in a rollout; a percent is a hundred of them."""

_SALT_BYTES = 16


class ReleaseStoreError(BadInputError):
    """The device's folder of releases is damaged or can't be written."""


@dataclass(frozen=True, slots=True)
class InstalledRelease:
    """A release that was verified, loaded once and put in place."""

    version: int
    directory: Path


@dataclass(frozen=True, slots=True)
class ReleaseStore:
    """Where a device keeps its releases. All of it can be fetched again, but for the trusted root."""

    home: Path

    @property
    def root_file(self) -> Path:
        """The root metadata that came with the app: the beginning of all trust."""
        return self.home / "releases" / "trusted-root.json"

    @property
    def metadata(self) -> Path:
        """What the TUF client remembers, so that nobody can show it something older."""
        return self.home / "releases" / "metadata"

    def installed(self) -> list[InstalledRelease]:
        """Return what is in place, the newest first; the second is the one to fall back on.

        Raises:
            ReleaseStoreError: The list of installed releases is damaged.
        """
        try:
            versions = json.loads(self._list_file.read_bytes())["installed"]
            return [InstalledRelease(int(version), self._directory(int(version))) for version in versions]
        except FileNotFoundError:
            return []
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ReleaseStoreError(f"{self._list_file}: can't be read; remove it and update again") from error

    def install(self, version: int, downloaded: Path) -> InstalledRelease:
        """Put a checked release in place in one step, and forget all but the one before it.

        Raises:
            OSError: The folder is full or read-only; what was installed stays.
        """
        before = [release.version for release in self.installed()][:1]
        directory = self._directory(version)
        if directory.exists():
            # Left by a kill between the two steps below: never listed, so nobody uses it.
            shutil.rmtree(directory)
        downloaded.rename(directory)
        write_durably(self._list_file, json.dumps({"installed": [version, *before]}).encode())
        self._remove_others({version, *before})
        return InstalledRelease(version, directory)

    def bucket(self, version: int) -> int:
        """Return this device's place (0 to ``BUCKETS - 1``) in a version's rollout.

        It comes from a random salt that never leaves the device, and differs from version to version, so that the
        first to get a release aren't always the same and nobody can tell who they are.
        """
        digest = hashlib.sha256(self._salt() + version.to_bytes(8)).digest()
        return int.from_bytes(digest[:8]) % BUCKETS

    @contextmanager
    def sole_user(self) -> Iterator[None]:
        """Keep a second update out while one runs.

        Raises:
            RefusedError: One runs already.
            OSError: The folder can't be written.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / ".lock").open("ab") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise RefusedError("another update of this device is running") from error
            yield

    @contextmanager
    def download_folder(self) -> Iterator[Path]:
        """Give an empty folder on the same disk; whatever is left there afterwards is removed."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self._folder, prefix=".incoming-", ignore_cleanup_errors=True) as folder:
            inner = Path(folder) / "release"
            inner.mkdir()
            yield inner

    @property
    def _folder(self) -> Path:
        return self.home / "releases"

    @property
    def _list_file(self) -> Path:
        return self._folder / "installed.json"

    def _directory(self, version: int) -> Path:
        return self._folder / f"release-{version}"

    def _remove_others(self, kept: set[int]) -> None:
        names = {self._directory(version).name for version in kept}
        for folder in self._folder.glob("release-*"):
            if folder.name not in names:
                shutil.rmtree(folder, ignore_errors=True)

    def _salt(self) -> bytes:
        path = self._folder / "rollout.salt"
        if not path.exists():
            write_durably(path, secrets.token_bytes(_SALT_BYTES))
        return path.read_bytes()
