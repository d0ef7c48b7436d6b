"""Orders: what the API asks of the server that trains, as records that are only added, and what became of them.

A device's removal names the registration that it takes back, so that it doesn't matter in which order they are read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Any, ClassVar

from models.errors import BadInputError


@dataclass(frozen=True, slots=True)
class RegisterNode:
    """A person consented to training: this node may take part.

    Attributes:
        node_key: Its Flower node key: the DER of an EC P-384 public key, in base64. No id of the API's goes with it.
    """

    kind: ClassVar[str] = "register-node"
    node_key: str


@dataclass(frozen=True, slots=True)
class RemoveNode:
    """A person withdrew, or left: the node of that registration may not take part any more.

    Attributes:
        registration: Name of the order that let it in.
    """

    kind: ClassVar[str] = "remove-node"
    registration: str


@dataclass(frozen=True, slots=True)
class SetRollout:
    """An operator's: offer a release to another share of the devices.

    Attributes:
        version: Of the release.
        rollout_percent: Share of devices, from 0 to 100.
        releases: ``releases_digest`` of what the operator saw; under any other releases the order is refused.
    """

    kind: ClassVar[str] = "set-rollout"
    version: int
    rollout_percent: int
    releases: str


@dataclass(frozen=True, slots=True)
class RollBack:
    """An operator's: publish an earlier release's files under the next version.

    Attributes:
        to_version: Whose files.
        rollout_percent: Share of devices that are offered them, from 0 to 100.
        releases: As in ``SetRollout``.
    """

    kind: ClassVar[str] = "roll-back"
    to_version: int
    rollout_percent: int
    releases: str


@dataclass(frozen=True, slots=True)
class PauseRounds:
    """An operator's: begin no more rounds. One that runs ends."""

    kind: ClassVar[str] = "pause"


@dataclass(frozen=True, slots=True)
class ResumeRounds:
    """An operator's: begin rounds again."""

    kind: ClassVar[str] = "resume"


OperatorOrder = SetRollout | RollBack | PauseRounds | ResumeRounds

Order = RegisterNode | RemoveNode | OperatorOrder

_ORDERS: tuple[type[Order], ...] = (RegisterNode, RemoveNode, SetRollout, RollBack, PauseRounds, ResumeRounds)
_KINDS: Mapping[str, type[Order]] = {kind.kind: kind for kind in _ORDERS}
_TYPES = {"str": str, "int": int}


class OrderState(StrEnum):
    """How far an order has come. An outcome is never pending."""

    PENDING = "pending"
    DONE = "done"
    REFUSED = "refused"


class Refusal(StrEnum):
    """Why an order wasn't carried out and never will be."""

    RELEASES_CHANGED = "releases-changed"
    IMPOSSIBLE = "impossible"
    NOT_UNDERSTOOD = "not-understood"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an order.

    Attributes:
        state: Done or refused.
        at: Seconds since 1970.
        refusal: Why, where it was refused.
        version: Of the release that was changed or made, where one was.
    """

    state: OrderState
    at: int
    refusal: Refusal | None = None
    version: int | None = None


def order_record(order: Order) -> dict[str, Any]:
    """Return an order as the record that the registry holds."""
    return {"kind": order.kind, **asdict(order)}


def parse_order(record: Mapping[str, Any]) -> Order:
    """Return the order of a record.

    Raises:
        BadInputError: It is none of ours.
    """
    values = dict(record)
    kind = _KINDS.get(str(values.pop("kind", None)))
    if kind is None:
        raise BadInputError(f"expected an order of the kinds {', '.join(_KINDS)}")
    types = {field.name: _TYPES[str(field.type)] for field in fields(kind)}
    if types != {name: type(value) for name, value in values.items()}:
        raise BadInputError(f"the fields of this {kind.kind} are not those of one")
    return kind(**values)


def admitted_nodes(orders: Mapping[str, Order]) -> frozenset[str]:
    """Return the keys of the nodes that may take part: those with a registration that wasn't taken back.

    Args:
        orders: All of them, by name.
    """
    removed = {order.registration for order in orders.values() if isinstance(order, RemoveNode)}
    return frozenset(
        order.node_key for name, order in orders.items() if isinstance(order, RegisterNode) and name not in removed
    )


def outcome_record(outcome: Outcome) -> dict[str, Any]:
    """Return an outcome as the record that the registry holds."""
    return asdict(outcome)


def parse_outcome(record: Mapping[str, Any]) -> Outcome:
    """Return the outcome of a record.

    Raises:
        BadInputError: It is none.
    """
    try:
        state, refusal, version = OrderState(record["state"]), record["refusal"], record["version"]
        outcome = Outcome(state, int(record["at"]), None if refusal is None else Refusal(refusal), version)
    except (KeyError, TypeError, ValueError):
        raise BadInputError("expected what became of an order") from None
    if state is OrderState.PENDING or type(version) not in (int, type(None)):
        raise BadInputError("expected an order that was done or refused")
    return outcome
