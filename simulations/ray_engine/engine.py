"""Rounds on Flower's simulation runtime: a SuperLink on loopback for this run alone, and `flwr run` against it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import httpx

from models.durable_file import write_durably
from models.errors import HearsayError, UnreachableError
from simulations.federating import WatchedFederation
from simulations.progress import Advance
from simulations.ray_engine.apps import FAILURE, FOLDER, PROCESS, SETTINGS, SETTINGS_JSON
from simulations.settings import RunSettings
from simulations.workspace import Workspace

START_SECONDS = 120.0  # a busy machine may take this long; one that ends is told of at once
STOP_SECONDS = 30.0
PAUSE_SECONDS = 0.2

_APP = Path(__file__).parent / "flower_app"
_CONNECTION = "this-run"


class EngineError(HearsayError):
    """What stopped the rounds in Flower's processes: the line and the exit code are that error's own."""

    def __init__(self, line: str, exit_code: int) -> None:
        super().__init__(line)
        self.exit_code = exit_code  # type: ignore[misc]


def run_on_ray(settings: RunSettings, workspace: Workspace, federation: WatchedFederation, advance: Advance) -> None:
    """Run the rounds that are left, with as many workers as there are cores.

    Args:
        settings: Of the run.
        workspace: Its folder; every process of the run must be able to read it.
        federation: Tells how many of its rounds are saved; it runs in another process.
        advance: Called once for each device that a finished round had asked for, as expected.

    Raises:
        UnreachableError: Flower's processes didn't start or broke down; the log says why.
        EngineError: A rule of ours stopped the rounds.
    """
    folder = workspace.root.resolve() / "ray"
    folder.mkdir(parents=True, exist_ok=True)
    for name in (FAILURE, PROCESS):
        (workspace.root / name).unlink(missing_ok=True)
    write_durably(workspace.root / SETTINGS, SETTINGS_JSON.dump_json(_absolute(settings)))
    try:
        with (folder / "flower.log").open("wb") as log, _superlink(folder, log.fileno()) as environment:
            _run_app(settings, workspace, environment, log.fileno(), federation, advance)
    finally:
        _await_end(workspace.root / PROCESS)
    require_finished(settings, workspace, federation.rounds_done())


def _absolute(settings: RunSettings) -> RunSettings:
    """Return the settings with paths that hold in processes which stand elsewhere."""
    calls, base = (path and path.resolve() for path in (settings.calls, settings.base))
    return replace(settings, calls=calls, base=base)


@contextmanager
def _superlink(folder: Path, log: int) -> Iterator[dict[str, str]]:
    """Start a SuperLink on a free port of loopback; yield the environment in which `flwr` finds it; stop it."""
    environment = _environment(folder)
    with held_port() as port:
        _write_connection(folder, port)
        command = [_script("flower-superlink"), "--insecure", "--simulation", "--isolation", "subprocess"]
        command += ["--host", "127.0.0.1", "--port", str(port), "--database", ":flwr-in-memory:"]
        # A session of its own: Ctrl-C reaches the run first, which then stops Flower in order.
        process = subprocess.Popen(  # noqa: S603 - no shell
            command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
        try:
            _await_health(process, port)
            yield environment
        finally:
            _stop(process)


def _write_connection(folder: Path, port: int) -> None:
    """Tell `flwr` where the SuperLink listens."""
    write_durably(
        folder / "config.toml",
        f'[superlink]\ndefault = "{_CONNECTION}"\n\n[superlink.{_CONNECTION}]\naddress = "127.0.0.1:{port}"\n'
        "insecure = true\n".encode(),
    )


def _environment(folder: Path) -> dict[str, str]:
    checkout = str(Path(__file__).resolve().parents[2])
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, (checkout, os.environ.get("PYTHONPATH")))),
        "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", ""))),
        "FLWR_HOME": str(folder),
        "FLWR_TELEMETRY_ENABLED": "0",
        "FLWR_DISABLE_UPDATE_CHECK": "1",
        "FLWR_DISABLE_RUNTIME_DEPENDENCY_INSTALLATION": "1",
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    }


def _script(name: str) -> str:
    return str(Path(sys.executable).with_name(name))


@contextmanager
def held_port() -> Iterator[int]:
    """Yield a free port of loopback that nobody else is given in the block; who asks for it by number may listen."""
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", 0))
        yield int(holder.getsockname()[1])


def _await_health(process: subprocess.Popen[bytes], port: int) -> None:
    until = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < until:
        with suppress(httpx.HTTPError):
            if httpx.get(f"http://127.0.0.1:{port}/health", timeout=1).is_success:
                return
        time.sleep(PAUSE_SECONDS)
    raise UnreachableError("Flower's SuperLink didn't start; ray/flower.log in the run's folder says why")


def _run_app(
    settings: RunSettings,
    workspace: Workspace,
    environment: dict[str, str],
    log: int,
    federation: WatchedFederation,
    advance: Advance,
) -> None:
    """Start the run and wait for its end."""
    command = [_script("flwr"), "run", str(_APP), _CONNECTION, "--stream"]
    command += ["--run-config", f"{FOLDER}={json.dumps(str(workspace.root.resolve()))}"]
    command += ["--federation-config", _workers(settings.devices)]
    process = subprocess.Popen(  # noqa: S603 - no shell
        command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
    )
    seen = 0
    try:
        while process.poll() is None:
            time.sleep(PAUSE_SECONDS)
            done = federation.rounds_done()
            for _ in range((done - seen) * settings.cohort):
                advance()
            seen = done
    finally:
        _stop(process)


def _workers(devices: int) -> str:
    cores = os.cpu_count() or 1
    return (
        f"num-supernodes={devices} client-resources-num-cpus=1 init-args-num-cpus={cores} init-args-log-to-driver=false"
    )


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _await_end(process_file: Path) -> None:
    """Wait for the process with the rounds: it notices only after a while that its parent is gone, and writes on."""
    with suppress(FileNotFoundError, ProcessLookupError):
        process, until = int(process_file.read_text()), time.monotonic() + STOP_SECONDS
        while time.monotonic() < until:
            os.kill(process, 0)
            time.sleep(PAUSE_SECONDS)
        os.kill(process, signal.SIGKILL)


def require_finished(settings: RunSettings, workspace: Workspace, done: int) -> None:
    """Raise what stopped the rounds, if they are not all done.

    Raises:
        EngineError: A rule of ours stopped them.
        UnreachableError: Flower's processes broke down.
    """
    with suppress(FileNotFoundError):
        failure = json.loads((workspace.root / FAILURE).read_bytes())
        raise EngineError(failure["line"], failure["exit_code"])
    if done < settings.rounds:
        raise UnreachableError(
            f"Flower's processes stopped after {done} of {settings.rounds} rounds; "
            "ray/flower.log in the run's folder says why; --resume goes on"
        )
