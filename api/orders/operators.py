"""What operators order: placed under the state that they saw, listed with what became of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection

from api.auth.bearer import PersonCall
from api.database import Lock, hold_lock
from api.orders import repository
from api.orders.service import place_order
from api.orders.situation import Situation, read_situation
from api.problems import Problem, ProblemError
from api.security_events import SecurityEvent, record_event
from models.domain.order import (
    OperatorOrder,
    Outcome,
    PauseRounds,
    ResumeRounds,
    RollBack,
    SetRollout,
    order_record,
    parse_outcome,
)
from models.errors import BadInputError
from models.record import read_record

_EVENTS: dict[type[OperatorOrder], SecurityEvent] = {
    SetRollout: SecurityEvent.ROLLOUT_ORDERED,
    RollBack: SecurityEvent.ROLLBACK_ORDERED,
    PauseRounds: SecurityEvent.PAUSE_ORDERED,
    ResumeRounds: SecurityEvent.RESUMPTION_ORDERED,
}


@dataclass(frozen=True, slots=True)
class WantedRollout:
    """Offer a release to a share of the devices: of its own, or under the next version."""

    version: int
    rollout_percent: int
    is_rollback: bool


Wanted = WantedRollout | PauseRounds | ResumeRounds


@dataclass(frozen=True, slots=True)
class OperatorOrderPage:
    """Some orders with what became of them, the newest first.

    Attributes:
        orders: With the outcome, ``None`` while it is pending.
        before: Where the next page goes on; ``None`` where there is none.
    """

    orders: tuple[tuple[repository.PlacedOrder, Outcome | None], ...]
    before: str | None


def order_as_operator(call: PersonCall, registry: Path, wanted: Wanted, tag: str | None) -> str:
    """Place an operator's order and return its name; ``publish_orders`` follows the transaction.

    Args:
        call: Of the operator.
        registry: Where releases and outcomes are read.
        wanted: What to order.
        tag: Of the situation that the operator saw.

    Raises:
        ProblemError: There is no tag, it is that of another situation, or there is no such release.
    """
    if tag is None:
        raise ProblemError(Problem.STATE_MISSING, "look at GET /v1/releases and send its ETag as If-Match")
    # Of two orders under one tag the second sees the first.
    hold_lock(call.connection, Lock.ORDERS)
    situation = read_situation(call.connection, registry)
    if tag.strip() != situation.tag:
        raise ProblemError(Problem.STATE_CHANGED, "look at GET /v1/releases again, and order what is still wanted")
    order = _order_under(situation, wanted)
    name = place_order(call.connection, order, call.now)
    repository.add_operator_order(call.connection, name, order_record(order), call.person_id)
    record_event(call.connection, _EVENTS[type(order)], call.actor, call.now, _subject(name, wanted))
    return name


def list_orders(connection: Connection, registry: Path, before: str | None, limit: int) -> OperatorOrderPage:
    """Return the newest orders of operators, or those before one.

    Raises:
        ProblemError: The registry can't be read.
    """
    found = repository.operator_orders_before(connection, before, limit + 1)
    orders = tuple((placed, read_outcome(registry, placed.name)) for placed in found[:limit])
    return OperatorOrderPage(orders, orders[-1][0].name if len(found) > limit else None)


def read_outcome(registry: Path, name: str) -> Outcome | None:
    """Return what became of an order, ``None`` while it is pending.

    Raises:
        ProblemError: The registry can't be read.
    """
    try:
        record = read_record(registry / "outcomes", name)
        return None if record is None else parse_outcome(record)
    except BadInputError:
        raise ProblemError(Problem.NOT_READY, "an order's outcome can't be read") from None


def _subject(name: str, wanted: Wanted) -> str:
    """Return what the audit log says was ordered; an order itself may be gone from the registry one day."""
    if not isinstance(wanted, WantedRollout):
        return name
    return f"{name} release={wanted.version} percent={wanted.rollout_percent}"


def _order_under(situation: Situation, wanted: Wanted) -> OperatorOrder:
    if not isinstance(wanted, WantedRollout):
        return wanted
    if not situation.has(wanted.version):
        raise ProblemError(Problem.NOT_FOUND, "there is no such release")
    kind = RollBack if wanted.is_rollback else SetRollout
    return kind(wanted.version, wanted.rollout_percent, situation.digest)
