"""Runs a function in a process of its own that may kill itself: kill -9, so that nothing can be tidied up.

The processes are forked from one that has imported the product once, and has run nothing of it.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable
from typing import Any

PRELOADED = [
    "tests.small_federation",
    "tests.fl_server.killed_rounds",
    "tests.fl_server.killed_orders",
    "tests.fl_client.killed_trainings",
]

KILLED = -signal.SIGKILL
"""The exit code of a process that was killed."""


def kill_self() -> None:
    """End this process as a power cut would."""
    os.kill(os.getpid(), signal.SIGKILL)


def exit_code_of(work: Callable[..., None], *arguments: Any) -> int:
    """Run work in a process and return its exit code; -9 is a kill."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    process = context.Process(target=work, args=arguments)
    process.start()
    process.join(timeout=120)
    if process.exitcode is None:
        process.kill()
        process.join()
        raise TimeoutError("the process neither ended nor was killed")
    return process.exitcode
