"""Devices over HTTP: enrolment needs nothing, not even a login; everything later is signed."""

from __future__ import annotations

import base64

from fastapi import APIRouter, Request, Response

from api.auth.door import SIGNED, SignedDoor
from api.context import context_of
from api.database import transaction
from api.devices import service
from api.devices.schemas import EnrolmentAnswer
from api.documentation import SIGNED_OPERATION, problems
from api.problems import Problem

router = APIRouter(prefix="/v1/devices", tags=["devices"])


@router.post("", status_code=201, responses=problems(Problem.DATABASE_UNAVAILABLE))
def enroll(request: Request, response: Response) -> EnrolmentAnswer:
    """Enrol this device. The secret is shown once; nothing of the phone is asked for."""
    context = context_of(request)
    with transaction(context.engine) as connection:
        enrolment = service.enroll_device(connection, context.settings.keys.encryption)
    response.headers["Cache-Control"] = "no-store"
    return EnrolmentAnswer(device_id=enrolment.device_id, secret=base64.b64encode(enrolment.secret).decode())


@router.delete("/self", status_code=204, responses=SIGNED, openapi_extra=SIGNED_OPERATION)
def leave(door: SignedDoor) -> None:
    """Destroy this device: its secret, its consents and its reports on windows that are still open."""
    with door.open() as call:
        service.remove_device(call.connection, call.device_id)
