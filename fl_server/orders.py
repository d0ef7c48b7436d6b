"""Carrying out what the API ordered: each order once, whatever kills this in the middle.

An order is done first and its outcome written after. Between the two it is done again on the next try, which changes
nothing: a change of releases is signed with the order's name, and the rest has no steps to repeat.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from fl_server.registry import Registry
from fl_server.release.publishing import ReleaseOrder, roll_back, set_rollout
from fl_server.release.signing import SigningKeys
from fl_server.release.targets import PublishedRelease
from models.domain.order import (
    Order,
    OrderState,
    Outcome,
    PauseRounds,
    Refusal,
    RegisterNode,
    RemoveNode,
    ResumeRounds,
    RollBack,
    SetRollout,
    outcome_record,
    parse_order,
)
from models.durable_file import READABLE_BY_ALL, remove_durably, write_durably
from models.errors import BadInputError, RegistryError, ReleasesChangedError, UsageError
from models.folder_lock import locked_folder
from models.record import append_record, read_record, record_names


@dataclass(frozen=True, slots=True)
class CarriedOut:
    """An order's name and what became of it."""

    name: str
    outcome: Outcome


def carry_out_orders(
    registry: Registry, keys: SigningKeys, now: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> Iterator[CarriedOut]:
    """Carry out the orders that wait, oldest first, and yield each once its outcome is on the disk.

    Args:
        registry: Its ``outcomes/`` is locked meanwhile.
        keys: The online keys, which sign releases.
        now: What time it is.

    Raises:
        FolderInUseError: Another process carries orders out.
        RegistryError: The registry is damaged or can't be written; what was not done stays waiting.
        RefusedError: Another process publishes, or the releases were signed with other keys; try again.
    """
    with locked_folder(registry.outcomes):
        for name in sorted(record_names(registry.orders) - record_names(registry.outcomes)):
            record = read_record(registry.orders, name)
            assert record is not None, "an order is never taken away"
            outcome = _outcome_of(registry, keys, name, record, int(now().timestamp()))
            append_record(registry.outcomes, name, outcome_record(outcome))
            yield CarriedOut(name, outcome)


def rounds_paused(registry: Registry) -> bool:
    """Return whether an operator lets no round begin."""
    return registry.pause_mark.exists()


def _outcome_of(registry: Registry, keys: SigningKeys, name: str, record: dict[str, object], at: int) -> Outcome:
    try:
        order = parse_order(record)
    except BadInputError:
        return Outcome(OrderState.REFUSED, at, Refusal.NOT_UNDERSTOOD)
    try:
        changed = _carry_out(registry, keys, name, order)
    except ReleasesChangedError:
        return Outcome(OrderState.REFUSED, at, Refusal.RELEASES_CHANGED)
    except UsageError:
        return Outcome(OrderState.REFUSED, at, Refusal.IMPOSSIBLE)
    return Outcome(OrderState.DONE, at, version=None if changed is None else changed.version)


def _carry_out(registry: Registry, keys: SigningKeys, name: str, order: Order) -> PublishedRelease | None:
    """Do what an order asks for, if it isn't done yet; return the release that it changed or made."""
    match order:
        case SetRollout(version, percent, releases):
            return set_rollout(registry, keys, version, percent, order=ReleaseOrder(name, releases))
        case RollBack(version, percent, releases):
            notes = f"the files of release {version}"
            return roll_back(registry, keys, version, percent, notes, order=ReleaseOrder(name, releases))
        case PauseRounds():
            _set_pause(registry, paused=True)
        case ResumeRounds():
            _set_pause(registry, paused=False)
        case RegisterNode() | RemoveNode():
            pass  # who may take part follows from the orders themselves: admitted_nodes
    return None


def _set_pause(registry: Registry, *, paused: bool) -> None:
    try:
        if paused:
            write_durably(registry.pause_mark, b"", READABLE_BY_ALL)
        else:
            remove_durably(registry.pause_mark)
    except OSError as error:
        raise RegistryError(f"{registry.root}: can't be written: {error.strerror}") from error
