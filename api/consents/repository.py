"""The consent ledger in the database: rows are added, never changed."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, insert, select

from api.tables import consents
from models.domain.consent import Purpose


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """A consent, or with ``given`` false a withdrawal.

    Attributes:
        recorded_at: Seconds since 1970.
        receipt: Random; names this entry towards the person.
        guardian_record: What a guardian consented by, ``None`` for people of 14 and older.
    """

    purpose: Purpose
    given: bool
    text_version: str
    language: str
    recorded_at: int
    receipt: str
    guardian_record: str | None = None


_LAST_ENTRY = (
    select(consents)
    .where(consents.c.device_id == bindparam("device"), consents.c.purpose == bindparam("purpose"))
    .order_by(consents.c.id.desc())
    .limit(1)
)


def append_entry(connection: Connection, device_id: str, entry: LedgerEntry) -> None:
    """Add an entry to a device's ledger."""
    connection.execute(
        insert(consents).values(
            device_id=device_id,
            purpose=entry.purpose.value,
            given=entry.given,
            text_version=entry.text_version,
            language=entry.language,
            recorded_at=entry.recorded_at,
            receipt=entry.receipt,
            guardian_record=entry.guardian_record,
        )
    )


def last_entry(connection: Connection, device_id: str, purpose: Purpose) -> LedgerEntry | None:
    """Return what holds now for a device and purpose, ``None`` where nothing was ever said."""
    row = connection.execute(_LAST_ENTRY, {"device": device_id, "purpose": purpose.value}).first()
    if row is None:
        return None
    return LedgerEntry(
        Purpose(row.purpose),
        row.given,
        row.text_version,
        row.language,
        row.recorded_at,
        row.receipt,
        row.guardian_record,
    )
