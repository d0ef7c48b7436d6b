"""The folder of one run: what is kept where, and whether a run that stands there can be gone on with."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from models.durable_file import write_durably
from models.errors import BadInputError, CheckpointError

_MARKER = "run.json"
_KEPT = ("base", "federation", "registry", "keys", "exported", "api", "device", "logs")
_FILES = ("report.html", "report.json", "demo-call.jsonl")


@dataclass(frozen=True, slots=True)
class Workspace:
    """Paths of a run below its folder."""

    root: Path

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

    def clear_release(self) -> None:
        """Remove what comes after the rounds, which is made anew each time."""
        for folder in (self.keys, self.root / "exported", self.api, self.device, self.logs):
            shutil.rmtree(folder, ignore_errors=True)
        for folder in (self.registry / "metadata", self.registry / "targets"):
            shutil.rmtree(folder, ignore_errors=True)

    def finish(self) -> None:
        """Note that the run came to its end: the next one starts over."""
        state = json.loads((self.root / _MARKER).read_text())
        _mark(self.root, state["settings"], finished=True)


def open_workspace(root: Path, settings_digest: str, *, resume: bool) -> Workspace:
    """Return the folder, ready for a run: emptied of an earlier one, or as an interrupted one left it.

    Raises:
        BadInputError: The folder can't be written, or holds something that is not a run of ours.
        CheckpointError: The interrupted run had other settings.
    """
    try:
        root.mkdir(parents=True, exist_ok=True)
        if not (resume and _is_interrupted(root, settings_digest)):
            _clear(root)
            _mark(root, settings_digest, finished=False)
    except OSError as error:
        raise BadInputError(f"{root}: can't be written to: {error.strerror}") from error
    return Workspace(root)


def _is_interrupted(root: Path, settings_digest: str) -> bool:
    try:
        state = json.loads((root / _MARKER).read_text())
    except (OSError, ValueError):
        return False
    if state["finished"]:
        return False
    if state["settings"] != settings_digest:
        raise CheckpointError(
            f"{root} holds an interrupted run with other settings: choose another --out, or start over without --resume"
        )
    return True


def _clear(root: Path) -> None:
    """Remove an earlier run, and nothing else."""
    if any(root.iterdir()) and not (root / _MARKER).is_file():
        raise BadInputError(f"{root} holds files that are not of a run; choose an empty folder")
    for name in _KEPT:
        shutil.rmtree(root / name, ignore_errors=True)
    for name in (*_FILES, _MARKER):
        (root / name).unlink(missing_ok=True)


def _mark(root: Path, settings_digest: str, *, finished: bool) -> None:
    write_durably(root / _MARKER, json.dumps({"settings": settings_digest, "finished": finished}).encode())
