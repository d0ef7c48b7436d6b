"""Orders: what the API asks of the server that trains, as records that are only added.

A device's removal names the registration that it takes back, so that it doesn't matter in which order they are read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
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


Order = RegisterNode | RemoveNode

_KINDS: Mapping[str, type[Order]] = {kind.kind: kind for kind in (RegisterNode, RemoveNode)}


def order_record(order: Order) -> dict[str, Any]:
    """Return an order as the record that the registry holds."""
    return {"kind": order.kind, **asdict(order)}


def parse_order(record: Mapping[str, Any]) -> Order:
    """Return the order of a record.

    Raises:
        BadInputError: It is none of ours.
    """
    fields = dict(record)
    kind = _KINDS.get(str(fields.pop("kind", None)))
    if kind is None or any(not isinstance(value, str) for value in fields.values()):
        raise BadInputError(f"expected an order of the kinds {', '.join(_KINDS)}")
    try:
        return kind(**fields)
    except TypeError:
        raise BadInputError(f"the fields of this {kind.kind} are not those of one") from None


def admitted_nodes(orders: Mapping[str, Order]) -> frozenset[str]:
    """Return the keys of the nodes that may take part: those with a registration that wasn't taken back.

    Args:
        orders: All of them, by name.
    """
    removed = {order.registration for order in orders.values() if isinstance(order, RemoveNode)}
    return frozenset(
        order.node_key for name, order in orders.items() if isinstance(order, RegisterNode) and name not in removed
    )
