"""Guardians' consents for children under 14, in the database."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, select, update

from api.tables import guardian_records
from models.domain.consent import Purpose


@dataclass(frozen=True, slots=True)
class GuardianRecord:
    """A guardian's consent to one purpose.

    Attributes:
        id: Random; the guardian is given it.
        reference: Where the operator keeps how the guardian was verified.
        recorded_at: Seconds since 1970.
        device_id: The child's, from the first use on.
    """

    id: str
    purpose: Purpose
    reference: str
    recorded_at: int
    device_id: str | None = None


def add_record(connection: Connection, record: GuardianRecord) -> None:
    """Store a guardian's consent."""
    connection.execute(
        insert(guardian_records).values(
            id=record.id,
            purpose=record.purpose.value,
            reference=record.reference,
            recorded_at=record.recorded_at,
        )
    )


def use_record(connection: Connection, record_id: str, purpose: Purpose, device_id: str) -> bool:
    """Tie a record to the child's device; false where there is none for this purpose, or another device has it."""
    row = guardian_records.c
    statement = (
        update(guardian_records)
        .where(row.id == record_id, row.purpose == purpose.value)
        .where(row.device_id.is_(None) | (row.device_id == device_id))
        .values(device_id=device_id)
    )
    return connection.execute(statement).rowcount == 1


def find_record(connection: Connection, record_id: str) -> GuardianRecord | None:
    """Return a record."""
    row = connection.execute(select(guardian_records).where(guardian_records.c.id == record_id)).first()
    return (
        None
        if row is None
        else GuardianRecord(row.id, Purpose(row.purpose), row.reference, row.recorded_at, row.device_id)
    )


def remove_record(connection: Connection, record_id: str) -> None:
    """Delete a record."""
    connection.execute(delete(guardian_records).where(guardian_records.c.id == record_id))
