"""Giving a consent, asking for it, and withdrawing it."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from api.consents import repository
from api.consents.repository import LedgerEntry
from api.consents.texts import Language, is_in_force
from api.problems import Problem, ProblemError
from api.statistics.repository import delete_reports_of_device
from models.domain.consent import Purpose


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """What a person is told after a withdrawal.

    Attributes:
        reports_destroyed: Reports on windows that were still open.
    """

    entry: LedgerEntry
    reports_destroyed: int


def give_consent(
    connection: Connection, device_id: str, purpose: Purpose, version: str, language: Language, now: datetime
) -> LedgerEntry:
    """Record a consent and return its entry. Said again under the same text, the first one stands.

    Raises:
        ProblemError: The text is not in force.
    """
    if not is_in_force(purpose, version, language):
        raise ProblemError(
            Problem.CONSENT_TEXT_OUTDATED, "show the person the text of /v1/consents/texts and ask again"
        )
    last = repository.last_entry(connection, device_id, purpose)
    if last is not None and last.given and (last.text_version, last.language) == (version, language):
        return last
    return _append(connection, device_id, LedgerEntry(purpose, True, version, language, _seconds(now), _receipt()))


def list_consents(connection: Connection, device_id: str) -> dict[Purpose, LedgerEntry | None]:
    """Return what holds now for every purpose."""
    return {purpose: repository.last_entry(connection, device_id, purpose) for purpose in Purpose}


def withdraw_consent(connection: Connection, device_id: str, purpose: Purpose, now: datetime) -> Withdrawal:
    """Record a withdrawal and destroy what the consent allowed to keep.

    Withdrawn again, or never given, the answer is the same and nothing is recorded twice.
    """
    last = repository.last_entry(connection, device_id, purpose)
    destroyed = delete_reports_of_device(connection, device_id) if purpose is Purpose.STATISTICS else 0
    if last is not None and not last.given:
        return Withdrawal(last, destroyed)
    version, language = ("", "") if last is None else (last.text_version, last.language)
    entry = LedgerEntry(purpose, False, version, language, _seconds(now), _receipt())
    return Withdrawal(_append(connection, device_id, entry), destroyed)


def require_consent(connection: Connection, device_id: str, purpose: Purpose) -> None:
    """Return only if a device's person has consented to a purpose.

    Raises:
        ProblemError: There is no consent; the document names the purpose.
    """
    last = repository.last_entry(connection, device_id, purpose)
    if last is None or not last.given:
        raise ProblemError(
            Problem.CONSENT_MISSING,
            f"this needs the person's consent to {purpose.value}: ask for it, then POST /v1/consents",
            purpose=purpose.value,
        )


def _append(connection: Connection, device_id: str, entry: LedgerEntry) -> LedgerEntry:
    repository.append_entry(connection, device_id, entry)
    return entry


def _seconds(now: datetime) -> int:
    return int(now.timestamp())


def _receipt() -> str:
    return secrets.token_hex(16)
