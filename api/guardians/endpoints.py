"""Guardians over HTTP, for operators: under 14 nothing is consented to without one (PIPA 22-2)."""

from __future__ import annotations

import secrets
from typing import Annotated

from fastapi import APIRouter, Path, Request

from api.auth.bearer import FOR_OPERATORS, Operator
from api.consents.service import withdraw_consent
from api.context import context_of
from api.destruction import finish_destruction
from api.devices.repository import lock_device
from api.documentation import BEARER_OPERATION, problems
from api.guardians import repository
from api.guardians.repository import GuardianRecord
from api.guardians.schemas import GuardianAnswer, GuardianRequest
from api.problems import Problem, ProblemError
from api.security_events import SecurityEvent, record_event

router = APIRouter(prefix="/v1/guardians", tags=["guardians"])

RecordId = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$", examples=["7c9e6679f3d04f2b8a5d1c0b9e8f7a6d"])]


@router.post(
    "",
    status_code=201,
    responses=FOR_OPERATORS | problems(Problem.INVALID),
    openapi_extra=BEARER_OPERATION,
)
def record_guardian(wanted: GuardianRequest, operator: Operator) -> GuardianAnswer:
    """Record that a guardian was verified and consented to one purpose."""
    with operator.open() as call:
        record = GuardianRecord(secrets.token_hex(16), wanted.purpose, wanted.reference, int(call.now.timestamp()))
        repository.add_record(call.connection, record)
        record_event(call.connection, SecurityEvent.GUARDIAN_RECORDED, call.actor, call.now, record.purpose.value)
    return GuardianAnswer(guardian_record=record.id, purpose=record.purpose)


@router.delete(
    "/{record_id}",
    status_code=204,
    responses=FOR_OPERATORS | problems(Problem.NOT_FOUND, Problem.INVALID),
    openapi_extra=BEARER_OPERATION,
)
def withdraw_guardian(record_id: RecordId, operator: Operator, request: Request) -> None:
    """Withdraw a guardian's consent: the child's consent to the purpose is withdrawn with it."""
    with operator.open() as call:
        record = repository.find_record(call.connection, record_id)
        if record is None:
            raise ProblemError(Problem.NOT_FOUND, "there is no such record")
        if record.device_id is not None:
            lock_device(call.connection, record.device_id)
            withdraw_consent(call.connection, record.device_id, record.purpose, call.now)
        repository.remove_record(call.connection, record_id)
        record_event(call.connection, SecurityEvent.GUARDIAN_WITHDREW, call.actor, call.now, record.purpose.value)
    finish_destruction(context_of(request))
