"""Placing orders: kept with what caused them, then written to the registry, so that none is lost."""

from __future__ import annotations

import logging
import secrets
from datetime import datetime

from sqlalchemy import Connection

from api.context import Context
from api.database import transaction
from api.orders import repository
from models.domain.order import Order, order_record
from models.errors import HearsayError
from models.record import append_record

_log = logging.getLogger("hearsay.api")


def place_order(connection: Connection, order: Order, now: datetime) -> str:
    """Keep an order in the transaction that causes it and return its name, which sorts by time.

    ``publish_orders`` writes it to the registry once the transaction is committed.
    """
    name = f"{int(now.timestamp() * 1000):013d}-{secrets.token_hex(8)}"
    repository.add_pending(connection, name, order_record(order))
    return name


def publish_orders(context: Context) -> None:
    """Write the orders that wait to the registry. What can't be written now is tried again by upkeep.

    Killed in the middle, an order is written twice under its one name, which changes nothing.
    """
    with transaction(context.engine, write=False) as connection:
        waiting = repository.list_pending(connection)
    written = []
    try:
        for name, record in waiting.items():
            append_record(context.settings.registry / "orders", name, record)
            written.append(name)
    except (HearsayError, OSError) as error:
        _log.error("%d orders can't be written to the registry: %s", len(waiting), type(error).__name__)
    if written:
        with transaction(context.engine) as connection:
            repository.forget_pending(connection, written)
