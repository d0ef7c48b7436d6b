"""The folder of one run: what is kept where, and whether a run that stands there can be gone on with."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.durable_file import write_durably
from models.errors import BadInputError, CheckpointError
from models.folder_lock import LOCK_NAME

_MARKER = "run.json"
_KEPT = ("base", "federation", "ray", "registry", "keys", "exported", "api", "device", "logs")
_FILES = ("report.html", "report.json", "demo-call.jsonl", "trusted-root.json")
_FORMAT = "hearsay-run/1"


@dataclass(frozen=True, slots=True)
class Workspace:
    """Paths of a run below its folder.

    Attributes:
        root: The folder.
        settings: Fingerprint of the run's settings.
        goes_on: Whether an interrupted run of the same settings stands there and is gone on with.
        replaces: Whether a run stands there that was rather to be gone on with, and makes room.
    """

    root: Path
    settings: str
    goes_on: bool
    replaces: bool = False

    @property
    def base(self) -> Path:
        """The base detector, trained in one place."""
        return self.root / "base"

    @property
    def federation(self) -> Path:
        """Checkpoints, ledger, and the simulator's record of each round."""
        return self.root / "federation"

    @property
    def registry(self) -> Path:
        """Where server and API meet."""
        return self.root / "registry"

    @property
    def keys(self) -> Path:
        """Signing keys of the releases and secrets of the API, made for this run alone."""
        return self.root / "keys"

    @property
    def api(self) -> Path:
        """The API's database."""
        return self.root / "api"

    @property
    def device(self) -> Path:
        """The home of the device that listens."""
        return self.root / "device"

    @property
    def logs(self) -> Path:
        """What the API's process says."""
        return self.root / "logs"

    @property
    def demo_call(self) -> Path:
        """The demo's own call."""
        return self.root / "demo-call.jsonl"

    @property
    def report(self) -> Path:
        """The page."""
        return self.root / "report.html"

    def begin(self) -> None:
        """Remove an earlier run that isn't gone on with, and note that one is under way.

        Raises:
            BadInputError: The folder can't be written.
        """
        if self.goes_on:
            return
        try:
            # Marked as finished while it is emptied: whatever a kill leaves of it is no run to go on with.
            _mark(self.root, self.settings, finished=True)
            _clear(self.root)
            _mark(self.root, self.settings, finished=False)
        except OSError as error:
            raise _unwritable(self.root, error) from error

    def clear_release(self) -> None:
        """Remove what comes after the rounds, which is made anew each time."""
        for folder in (self.keys, self.root / "exported", self.api, self.device, self.logs):
            shutil.rmtree(folder, ignore_errors=True)
        for folder in (self.registry / "metadata", self.registry / "targets"):
            shutil.rmtree(folder, ignore_errors=True)

    def finish(self) -> None:
        """Note that the run came to its end: the next one starts over."""
        _mark(self.root, self.settings, finished=True)


def open_workspace(root: Path, settings_digest: str, *, resume: bool) -> Workspace:
    """Return the folder of a run. Nothing in it is touched until ``Workspace.begin``.

    Raises:
        BadInputError: The folder can't be made, or holds something that is not a run of ours.
        CheckpointError: The interrupted run had other settings.
    """
    try:
        root.mkdir(parents=True, exist_ok=True)
        marker = _read_marker(root)
        # A kill may leave the marker's own draft behind, in a folder that holds nothing else yet.
        ours = (f".{_MARKER}.", LOCK_NAME)
        foreign = marker is None and any(not path.name.startswith(ours) for path in root.iterdir())
    except OSError as error:
        raise _unwritable(root, error) from error
    if foreign:
        raise BadInputError(f"{root} holds files that are not of a run; choose an empty folder")
    if not resume:
        return Workspace(root, settings_digest, goes_on=False, replaces=marker is not None and not marker["finished"])
    goes_on = _is_interrupted(root, marker, settings_digest)
    return Workspace(root, settings_digest, goes_on=goes_on, replaces=marker is not None and not goes_on)


def _read_marker(root: Path) -> dict[str, Any] | None:
    """Return what our marker says; ``None`` where there is none, or another program's file of that name."""
    try:
        marker = json.loads((root / _MARKER).read_bytes())
    except (FileNotFoundError, IsADirectoryError, ValueError):
        return None
    return marker if isinstance(marker, dict) and marker.get("format") == _FORMAT else None


def _is_interrupted(root: Path, marker: dict[str, Any] | None, settings_digest: str) -> bool:
    if marker is None or marker["finished"]:
        return False
    if marker["settings"] != settings_digest:
        raise CheckpointError(
            f"{root} holds an interrupted run with other settings: remove that folder, choose another --out, "
            "or start over without --resume"
        )
    return True


def _clear(root: Path) -> None:
    """Remove an earlier run's files but the marker, and nothing else."""
    for name in _KEPT:
        shutil.rmtree(root / name, ignore_errors=True)
    for name in _FILES:
        (root / name).unlink(missing_ok=True)


def _mark(root: Path, settings_digest: str, *, finished: bool) -> None:
    state = {"format": _FORMAT, "settings": settings_digest, "finished": finished}
    write_durably(root / _MARKER, json.dumps(state).encode())


def _unwritable(root: Path, error: OSError) -> BadInputError:
    return BadInputError(f"{root}: can't be written to: {error.strerror}")
