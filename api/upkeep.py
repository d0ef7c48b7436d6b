"""What the running API does by itself: releases windows on their day and forgets what expired."""

from __future__ import annotations

import asyncio
import logging

from sqlalchemy.exc import SQLAlchemyError

from api.context import Context
from api.database import transaction
from api.destruction import finish_destruction
from api.devices.repository import forget_nonces
from api.operator.drift import measure_new_figures
from api.people.repository import forget_sessions
from api.people.throttle import forget_attempts
from api.statistics.service import release_due_windows

UPKEEP_SECONDS = 60.0

_log = logging.getLogger("hearsay.api")


async def keep_up(context: Context) -> None:
    """Run upkeep at the start and then once a minute, until cancelled."""
    while True:
        try:
            await asyncio.to_thread(run_upkeep, context)
        except SQLAlchemyError as error:
            _log.error("upkeep: %s", type(error).__name__)
        await asyncio.sleep(UPKEEP_SECONDS)


def run_upkeep(context: Context) -> None:
    """Release and measure the windows whose day has come, write the orders that wait, and delete what expired."""
    now = context.settings.now
    with transaction(context.engine) as connection:
        forget_nonces(connection, int(now.timestamp()))
        forget_sessions(connection, int(now.timestamp()))
        forget_attempts(connection, now.timestamp())
        for closed in release_due_windows(connection, now):
            _log.info("window %s: %s, %d reports", closed.window.name, closed.state.value, closed.reports)
    finish_destruction(context)
    measure_new_figures(context)
