"""A run in a process of its own: it starts workers, prints their numbers, and waits to be killed or interrupted."""

from __future__ import annotations

import signal
import sys
import threading
from multiprocessing import active_children

from models.command import run_command
from simulations.workers import WorkerGrid
from tests.simulations.test_grid import counting_app, request


def wait_with_workers() -> None:
    """Hold a grid with two workers that have worked."""
    with WorkerGrid(counting_app, workers=2, devices=2) as grid:
        grid.send_and_receive([request(grid, node) for node in (1, 2)])
        sys.stdout.write(" ".join(str(child.pid) for child in active_children()) + "\n")
        sys.stdout.flush()
        threading.Event().wait()


if __name__ == "__main__":
    # A shell that started the tests in the background has all below it ignore Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.exit(run_command(wait_with_workers))
