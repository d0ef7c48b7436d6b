"""Giving a consent, asking for it, and withdrawing it."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection

from api.consents import repository
from api.consents.repository import LedgerEntry
from api.consents.texts import Language, is_in_force
from api.devices.nodes import Expulsion, admit_node, expel_node
from api.guardians.repository import use_record
from api.problems import Problem, ProblemError
from api.statistics.repository import delete_reports_of_device
from models.domain.consent import Purpose

_NO_EXPULSION = Expulsion(keys_destroyed=False, removal_ordered=False)


@dataclass(frozen=True, slots=True)
class GivenConsent:
    """What a person agreed to.

    Attributes:
        version: Of the text that they were shown.
        is_under_14: As they declared; no date of birth is asked for.
        guardian_record: What their guardian was given, needed under 14.
    """

    purpose: Purpose
    version: str
    language: Language
    is_under_14: bool = False
    guardian_record: str | None = None


@dataclass(frozen=True, slots=True)
class Consent:
    """What a person is told after a consent.

    Attributes:
        is_new: Whether anything changed; if not, the entry is the one that stood before.
    """

    entry: LedgerEntry
    is_new: bool


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """What a person is told after a withdrawal.

    Attributes:
        is_new: Whether anything changed; if not, the entry is the one that stood before.
        reports_destroyed: Reports on windows that were still open.
        expulsion: What became of the keys that the device trained under.
    """

    entry: LedgerEntry
    is_new: bool
    reports_destroyed: int
    expulsion: Expulsion


def give_consent(connection: Connection, device_id: str, consent: GivenConsent, now: datetime) -> Consent:
    """Record a consent. Said again under the same text, the first one stands.

    Raises:
        ProblemError: The text is not in force, or a child's guardian has not consented.
    """
    if not is_in_force(consent.purpose, consent.version, consent.language):
        raise ProblemError(
            Problem.CONSENT_TEXT_OUTDATED, "show the person the text of /v1/consents/texts and ask again"
        )
    guardian = _require_guardian(connection, device_id, consent)
    entry = LedgerEntry(consent.purpose, True, consent.version, consent.language, _seconds(now), _receipt(), guardian)
    last = repository.last_entry(connection, device_id, consent.purpose)
    if last is not None and replace(last, recorded_at=entry.recorded_at, receipt=entry.receipt) == entry:
        return Consent(last, is_new=False)
    if consent.purpose is Purpose.TRAINING:
        admit_node(connection, device_id, now)
    repository.append_entry(connection, device_id, entry)
    return Consent(entry, is_new=True)


def list_consents(connection: Connection, device_id: str) -> dict[Purpose, LedgerEntry | None]:
    """Return what holds now for every purpose."""
    return {purpose: repository.last_entry(connection, device_id, purpose) for purpose in Purpose}


def withdraw_consent(connection: Connection, device_id: str, purpose: Purpose, now: datetime) -> Withdrawal:
    """Record a withdrawal and destroy what the consent allowed to keep.

    Withdrawn again, or never given, the answer is the same and nothing is recorded twice.
    """
    last = repository.last_entry(connection, device_id, purpose)
    reports = delete_reports_of_device(connection, device_id) if purpose is Purpose.STATISTICS else 0
    expulsion = expel_node(connection, device_id, now) if purpose is Purpose.TRAINING else _NO_EXPULSION
    if last is not None and not last.given:
        return Withdrawal(last, bool(reports) or expulsion.keys_destroyed, reports, expulsion)
    version, language = ("", "") if last is None else (last.text_version, last.language)
    entry = LedgerEntry(purpose, False, version, language, _seconds(now), _receipt())
    repository.append_entry(connection, device_id, entry)
    return Withdrawal(entry, True, reports, expulsion)


def require_consent(connection: Connection, device_id: str, purpose: Purpose) -> LedgerEntry:
    """Return the consent to a purpose that a device's person has given.

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
    return last


def _require_guardian(connection: Connection, device_id: str, consent: GivenConsent) -> str | None:
    if not consent.is_under_14:
        return None
    record = consent.guardian_record
    if record is None or not use_record(connection, record, consent.purpose, device_id):
        raise ProblemError(
            Problem.GUARDIAN_MISSING, "the operator verifies a guardian and hands out a record for this purpose"
        )
    return record


def _seconds(now: datetime) -> int:
    return int(now.timestamp())


def _receipt() -> str:
    return secrets.token_hex(16)
