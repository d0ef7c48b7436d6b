"""The peer of the simulated devices: pfl-research in an environment of its own, made when it is first measured.

It takes torch and NumPy from ours, so that both train with the same arithmetic; nothing of it enters ours.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import venv
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from sysconfig import get_path

PINNED = (
    "pfl==0.6.0",
    "dp-accounting==0.5.1",
    "prv-accountant==0.2.0",
    "multiprocess==0.70.19",
    "dill==0.4.1",
)

INSTALL_SECONDS = 300.0

CHECKOUT = Path(__file__).parents[2]


class PeerMissingError(Exception):
    """The peer can't be installed or doesn't run; its rows say so, and all others are measured."""


def peer_python(folder: Path) -> Path:
    """Return the interpreter of the peer's environment in a folder, made where it isn't there yet.

    Raises:
        PeerMissingError: It can't be made; without a network, for example.
    """
    python, installed = folder / "bin" / "python", folder / "installed"
    if installed.exists() and installed.read_text() == _stamp():
        return python
    try:
        venv.create(folder, with_pip=True, clear=True)
        (site,) = (folder / "lib").glob("python*/site-packages")
        (site / "ours.pth").write_text(get_path("purelib") + "\n")
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", *PINNED]
        subprocess.run(pip, check=True, capture_output=True, timeout=INSTALL_SECONDS)  # noqa: S603
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        raise PeerMissingError(f"can't be installed ({type(error).__name__})") from error
    installed.write_text(_stamp())
    return python


def _stamp() -> str:
    return "\n".join((*PINNED, sys.version, get_path("purelib")))


@contextmanager
def running_peer(python: Path, processes: int, threads: int) -> Iterator[Callable[[], None]]:
    """Yield what trains one round: so many processes of so many threads, joined as pfl's documentation says."""
    addresses = ",".join(f"127.0.0.1:{_free_port()}" for _ in range(processes))
    with ExitStack() as ending:
        started = []
        for rank in range(processes):
            ranked = {"PFL_WORKER_ADDRESSES": addresses, "PFL_WORKER_RANK": str(rank)} if processes > 1 else {}
            process = ending.enter_context(_start(python, ranked | {"OMP_NUM_THREADS": str(threads)}))
            ending.callback(process.kill)
            started.append(process)
        yield lambda: _train_round(started)


def _start(python: Path, settings: Mapping[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(  # noqa: S603
        [str(python), "-W", "ignore", "-m", "simulations.bench.pfl_peer"],
        env={**os.environ, "PYTHONPATH": str(CHECKOUT), **settings},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def _train_round(processes: Sequence[subprocess.Popen[str]]) -> None:
    try:
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("round\n")
            process.stdin.flush()
    except OSError as error:
        raise PeerMissingError("it ended") from error
    for process in processes:
        assert process.stdout is not None
        if not process.stdout.readline():
            raise PeerMissingError("it ended")


def _free_port() -> int:
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        port: int = place.getsockname()[1]
        return port
