"""Orders on their way from a request into the registry, in the database."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Connection, delete, insert, select

from api.tables import pending_orders


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
