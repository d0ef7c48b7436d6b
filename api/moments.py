"""Moments: whole seconds in the database, UTC over HTTP."""

from __future__ import annotations

from datetime import UTC, datetime


def moment(seconds: int) -> datetime:
    """Return a moment of the database as it is said over HTTP."""
    return datetime.fromtimestamp(seconds, UTC)
