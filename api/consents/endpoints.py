"""Consents over HTTP: withdrawing is one call, as giving is."""

from __future__ import annotations

from fastapi import APIRouter, Request

from api.auth.door import SIGNED, SignedDoor
from api.consents import service
from api.consents.repository import LedgerEntry
from api.consents.schemas import ConsentAnswer, ConsentRequest, TextAnswer, WithdrawalAnswer
from api.consents.service import GivenConsent
from api.consents.texts import TEXTS, Language
from api.context import context_of
from api.destruction import finish_destruction
from api.documentation import SIGNED_OPERATION, problems
from api.moments import moment
from api.orders.service import publish_orders
from api.problems import Problem
from api.security_events import SecurityEvent, record_event
from models.domain.consent import Purpose

router = APIRouter(prefix="/v1/consents", tags=["consents"])


@router.get("/texts", responses=problems())
def read_texts() -> list[TextAnswer]:
    """The texts in force, for every purpose and language. No signature is needed to read them."""
    return [TextAnswer.model_validate(text) for text in TEXTS]


@router.post(
    "",
    responses=SIGNED | problems(Problem.CONSENT_TEXT_OUTDATED, Problem.GUARDIAN_MISSING, Problem.INVALID),
    openapi_extra=SIGNED_OPERATION,
)
def give_consent(consent: ConsentRequest, door: SignedDoor, request: Request) -> ConsentAnswer:
    """Record a consent to one purpose. Each purpose is asked for apart; none is a condition of another."""
    given = GivenConsent(
        consent.purpose, consent.text_version, consent.language, consent.is_under_14, consent.guardian_record
    )
    with door.open() as call:
        recorded = service.give_consent(call.connection, call.device_id, given, call.now)
        if recorded.is_new:
            record_event(call.connection, SecurityEvent.CONSENT_GIVEN, call.actor, call.now, consent.purpose.value)
    publish_orders(context_of(request))
    return _answer(recorded.entry)


@router.get("", responses=SIGNED, openapi_extra=SIGNED_OPERATION)
def list_consents(door: SignedDoor) -> list[ConsentAnswer]:
    """What holds now, for every purpose."""
    with door.open() as call:
        found = service.list_consents(call.connection, call.device_id)
    return [
        ConsentAnswer(purpose=purpose, given=False) if entry is None else _answer(entry)
        for purpose, entry in found.items()
    ]


@router.delete("/{purpose}", responses=SIGNED | problems(Problem.INVALID), openapi_extra=SIGNED_OPERATION)
def withdraw_consent(purpose: Purpose, door: SignedDoor, request: Request) -> WithdrawalAnswer:
    """Withdraw a consent and destroy what it allowed to keep. Done twice, the answer names the first withdrawal."""
    with door.open() as call:
        withdrawal = service.withdraw_consent(call.connection, call.device_id, purpose, call.now)
        if withdrawal.is_new:
            record_event(call.connection, SecurityEvent.CONSENT_WITHDRAWN, call.actor, call.now, purpose.value)
    if withdrawal.is_new:
        finish_destruction(context_of(request))
    return WithdrawalAnswer(
        purpose=purpose,
        withdrawn_at=moment(withdrawal.entry.recorded_at),
        receipt=withdrawal.entry.receipt,
        reports_destroyed=withdrawal.reports_destroyed,
        keys_destroyed=withdrawal.expulsion.keys_destroyed,
        node_removal_ordered=withdrawal.expulsion.removal_ordered,
    )


def _answer(entry: LedgerEntry) -> ConsentAnswer:
    return ConsentAnswer(
        purpose=entry.purpose,
        given=entry.given,
        text_version=entry.text_version or None,
        language=Language(entry.language) if entry.language else None,
        recorded_at=moment(entry.recorded_at),
        receipt=entry.receipt,
    )
