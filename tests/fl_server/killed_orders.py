"""What a killed process runs: orders that are carried out until a number of files and folders reached the disk."""

from __future__ import annotations

import os
from pathlib import Path

from fl_server.orders import carry_out_orders
from fl_server.registry import open_registry
from fl_server.release.signing import ONLINE_ROLES, load_keys
from tests.killing import kill_self


def die_after(server: Path, writes: int) -> None:
    """Carry orders out, and kill the process before the next write reaches the disk."""
    real, left = os.fsync, [writes]

    def fsync(descriptor: int) -> None:
        left[0] -= 1
        if left[0] < 0:
            kill_self()
        real(descriptor)

    os.fsync = fsync
    list(carry_out_orders(open_registry(server / "registry"), load_keys(server / "online", ONLINE_ROLES)))
