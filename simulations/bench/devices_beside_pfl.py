"""Simulated devices a second on all cores, against pfl-research in its fastest setting."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from simulations.bench.device_calls import COHORT
from simulations.bench.devices import Rounds, build_app, row
from simulations.bench.pfl_environment import PeerMissingError, peer_python, running_peer
from simulations.bench.row import Row, median_pair, median_seconds, print_rows
from simulations.bench.rows import OUT
from simulations.workers import WorkerGrid

PFL = "pfl-research 0.6.0"

LEAST_TURNS, MOST_TURNS, SECONDS = 3, 21, 15.0

TRIALS = 2
"""Rounds of each setting of the peer, the first of which warms up."""


def measure() -> list[Row]:
    """Return one row; where the peer is missing, ours with the reason in its place."""
    with _our_rounds() as ours:
        try:
            python = peer_python(Path(os.environ.get(OUT, "build/bench")) / "pfl-venv")
            processes, threads = _fastest(python)
            with running_peer(python, processes, threads) as peer:
                mine, peers = median_pair(ours, peer, SECONDS, LEAST_TURNS, MOST_TURNS)
        except PeerMissingError as missing:
            (mine,) = median_seconds([ours], LEAST_TURNS)
            return [row(mine, f"{PFL}: {missing}", None)]
    return [row(mine, f"{PFL}, {processes} processes of {threads} threads", peers)]


@contextmanager
def _our_rounds() -> Iterator[Callable[[], None]]:
    with tempfile.TemporaryDirectory() as folder:
        ledgers = Path(folder) / "devices.sqlite3"
        with WorkerGrid(partial(build_app, ledgers), os.cpu_count() or 1, COHORT) as grid:
            yield Rounds(grid).run


def _fastest(python: Path) -> tuple[int, int]:
    """Return the peer's processes and threads of each that take the least time: all cores are shared out either way."""
    cores = os.cpu_count() or 1
    taken = {}
    for processes, threads in {(1, 1), (1, cores), (cores, 1)}:
        with running_peer(python, processes, threads) as peer:
            (taken[processes, threads],) = median_seconds([peer], TRIALS)
    return min(taken, key=lambda setting: taken[setting])


if __name__ == "__main__":
    print_rows(measure())
