"""The command that carries orders out, once or for ever."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from fl_server.orders import CarriedOut, carry_out_orders
from fl_server.registry import Registry, open_registry
from fl_server.release.repository import renew
from fl_server.release.signing import ONLINE_ROLES, SigningKeys, load_keys
from models.command import console, print_json
from models.errors import HearsayError, UsageError


def carry_out(root: Path, keys_directory: Path, every: float | None) -> None:
    """Carry out the orders that wait and sign again what ages; print one JSON object each time that there was any.

    Args:
        root: Of the registry.
        keys_directory: Holds the online keys.
        every: Seconds between two looks, for ever; ``None`` looks once.

    Raises:
        UsageError: ``every`` is no time.
        RegistryError: There is no registry, or it is damaged.
        RefusedError: Another process carries orders out or publishes, or the keys may be read by others.
    """
    if every is not None and not 0 < every < float("inf"):
        raise UsageError("expected --every with a number of seconds above 0")
    registry, keys = open_registry(root), load_keys(keys_directory, ONLINE_ROLES)
    if every is None:
        print_json(_look(registry, keys))
        return
    while True:
        _look_again(registry, keys)
        time.sleep(every)


def _look(registry: Registry, keys: SigningKeys) -> dict[str, Any]:
    done = [_describe(each) for each in carry_out_orders(registry, keys)]
    has_releases = (registry.metadata / "timestamp.json").exists()
    return {"orders": done, "renewed": [role.value for role in renew(registry, keys)] if has_releases else []}


def _look_again(registry: Registry, keys: SigningKeys) -> None:
    """Look once more; what fails now is tried again with the next look."""
    try:
        found = _look(registry, keys)
    except HearsayError as error:
        console.print(f"error: {error}", markup=False, soft_wrap=True)
        return
    if any(found.values()):
        print_json(found)


def _describe(carried: CarriedOut) -> dict[str, Any]:
    outcome = carried.outcome
    return {"order": carried.name, "state": outcome.state, "refusal": outcome.refusal, "version": outcome.version}
