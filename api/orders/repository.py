"""Orders in the database: those on their way from a request into the registry, and all that operators placed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, insert, select

from api.tables import operator_orders, pending_orders


@dataclass(frozen=True, slots=True)
class PlacedOrder:
    """An operator's order.

    Attributes:
        record: As it stands in the registry.
        placed_by: Random id of the operator.
    """

    name: str
    record: dict[str, Any]
    placed_by: str

    @property
    def placed_at(self) -> int:
        """Seconds since 1970: an order's name begins with its milliseconds."""
        return int(self.name.partition("-")[0]) // 1000


def add_pending(connection: Connection, name: str, record: dict[str, Any]) -> None:
    """Keep an order until it is in the registry."""
    connection.execute(insert(pending_orders).values(name=name, content=json.dumps(record)))


def list_pending(connection: Connection) -> dict[str, dict[str, Any]]:
    """Return the orders that aren't known to be in the registry yet, oldest first."""
    rows = connection.execute(select(pending_orders).order_by(pending_orders.c.name))
    return {row.name: json.loads(row.content) for row in rows}


def forget_pending(connection: Connection, names: list[str]) -> None:
    """Forget orders that are in the registry."""
    connection.execute(delete(pending_orders).where(pending_orders.c.name.in_(names)))


def add_operator_order(connection: Connection, name: str, record: dict[str, Any], placed_by: str) -> None:
    """Keep an operator's order for good."""
    values = {"name": name, "content": json.dumps(record), "placed_by": placed_by}
    connection.execute(insert(operator_orders).values(values))


def operator_order_names(connection: Connection) -> list[str]:
    """Return the names of all that operators ordered, the oldest first."""
    return list(connection.execute(select(operator_orders.c.name).order_by(operator_orders.c.name)).scalars())


def operator_orders_before(connection: Connection, before: str | None, limit: int) -> list[PlacedOrder]:
    """Return what operators ordered before an order, the newest first."""
    statement = select(operator_orders).order_by(operator_orders.c.name.desc()).limit(limit)
    if before is not None:
        statement = statement.where(operator_orders.c.name < before)
    return [PlacedOrder(row.name, json.loads(row.content), row.placed_by) for row in connection.execute(statement)]
