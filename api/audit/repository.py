"""The audit log in the database: rows are added at its end and read, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, Row, insert, select

from api.audit.chain import START, Anchor, AuditRow, Deed
from api.tables import audit_log

_BATCH = 1000


def find_head(connection: Connection) -> Anchor:
    """Return the last row's number and hash."""
    newest = select(audit_log.c.number, audit_log.c.hash).order_by(audit_log.c.number.desc()).limit(1)
    row = connection.execute(newest).first()
    return START if row is None else Anchor(row.number, row.hash)


def add_row(connection: Connection, row: AuditRow) -> None:
    """Add a row at the end."""
    deed = row.deed
    connection.execute(
        insert(audit_log).values(
            number=row.number,
            recorded_at=deed.recorded_at,
            event=deed.event,
            actor_kind=deed.actor_kind,
            actor_id=deed.actor_id,
            subject=deed.subject,
            hash=row.hash,
        )
    )


def newest_rows(connection: Connection, before: int | None, limit: int) -> list[AuditRow]:
    """Return rows with numbers below one, the newest first."""
    statement = select(audit_log).order_by(audit_log.c.number.desc()).limit(limit)
    if before is not None:
        statement = statement.where(audit_log.c.number < before)
    return [_row(found) for found in connection.execute(statement)]


def all_rows(connection: Connection) -> Iterator[AuditRow]:
    """Yield all rows by number, some at a time."""
    statement = select(audit_log).order_by(audit_log.c.number).limit(_BATCH)
    found = list(connection.execute(statement))
    while found:
        yield from map(_row, found)
        found = list(connection.execute(statement.where(audit_log.c.number > found[-1].number)))


def _row(found: Row[Any]) -> AuditRow:
    deed = Deed(found.recorded_at, found.event, found.actor_kind, found.actor_id, found.subject)
    return AuditRow(found.number, deed, found.hash)
