"""What follows a destruction once it is committed."""

from __future__ import annotations

from api.context import Context
from api.database import empty_log
from api.orders.service import publish_orders


def finish_destruction(context: Context) -> None:
    """Take what was destroyed out of the database's log, and order what the destruction asks of the training server.

    Upkeep does the same once a minute, for what a crash kept from being done here.
    """
    publish_orders(context)
    empty_log(context.engine)
