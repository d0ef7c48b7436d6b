"""Devices over HTTP: enrolment needs nothing, not even a login; everything later is signed."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Request

from api.auth.access_tokens import read_access_token
from api.auth.bearer import bearer_token, require_session
from api.auth.door import SIGNED, SignedDoor
from api.context import Context, context_of
from api.database import transaction
from api.destruction import finish_destruction
from api.devices import nodes, repository, service
from api.devices.certifying import require_own_keys
from api.devices.schemas import (
    EnrolmentAnswer,
    EnrolmentRequest,
    SecretAnswer,
    TrainingKeysAnswer,
    TrainingKeysRequest,
)
from api.documentation import SIGNED_AND_BEARER_OPERATION, SIGNED_OPERATION, problems
from api.orders.service import publish_orders
from api.problems import Problem
from api.security_events import Actor, SecurityEvent, record_event
from models.domain.training_keys import PublicTrainingKeys
from models.privacy.secure_aggregation.identity import certify_identity

router = APIRouter(prefix="/v1/devices", tags=["devices"])

_BAD_KEYS = (Problem.KEYS_TAKEN, Problem.KEYS_REFUSED, Problem.INVALID)


@router.post("", status_code=201, responses=problems(*_BAD_KEYS, Problem.DATABASE_UNAVAILABLE))
def enroll(request: Request, wanted: Annotated[EnrolmentRequest | None, Body()] = None) -> EnrolmentAnswer:
    """Enrol this device. The secret is shown once; nothing of the phone is asked for."""
    context = context_of(request)
    brought = None if wanted is None or wanted.training_keys is None else wanted.training_keys
    keys = None if brought is None else _require_keys(brought)
    with transaction(context.engine) as connection:
        enrolment = service.enroll_device(connection, context.settings.keys.encryption)
        if keys is not None:
            nodes.store_keys(connection, enrolment.device_id, keys, context.settings.now)
        actor = Actor("device", enrolment.device_id)
        record_event(connection, SecurityEvent.DEVICE_ENROLLED, actor, context.settings.now)
    certificate = None if keys is None else _certify(context, keys)
    return EnrolmentAnswer(device_id=enrolment.device_id, secret=enrolment.secret, certificate=certificate)


@router.put("/self/training-keys", responses=SIGNED | problems(*_BAD_KEYS), openapi_extra=SIGNED_OPERATION)
def store_training_keys(brought: TrainingKeysRequest, door: SignedDoor, request: Request) -> TrainingKeysAnswer:
    """Bring the keys to train under, or others in place of them. The same keys again change nothing."""
    keys = _require_keys(brought)
    with door.open() as call:
        nodes.store_keys(call.connection, call.device_id, keys, call.now)
    context = context_of(request)
    publish_orders(context)
    return TrainingKeysAnswer(certificate=_certify(context, keys))


@router.post("/self/secret", status_code=201, responses=SIGNED, openapi_extra=SIGNED_OPERATION)
def rotate_secret(door: SignedDoor, request: Request) -> SecretAnswer:
    """Get another secret. The old one works until the first request signed with the new one."""
    ring = context_of(request).settings.keys.encryption
    with door.open() as call:
        secret = service.rotate_secret(call.connection, ring, call.device_id)
        record_event(call.connection, SecurityEvent.DEVICE_SECRET_ROTATED, call.actor, call.now)
    return SecretAnswer(secret=secret)


@router.put(
    "/self/person",
    status_code=204,
    responses=SIGNED
    | problems(Problem.SIGNATURE_REFUSED, Problem.CLOCK_SKEW, Problem.NONCE_REPLAYED, Problem.TOKEN_REFUSED),
    openapi_extra=SIGNED_AND_BEARER_OPERATION,
)
def link_person(door: SignedDoor, request: Request) -> None:
    """Say that this device is the person's whose access token comes along. Nothing needs it."""
    settings = context_of(request).settings
    with door.open() as call:
        claims = read_access_token(settings.keys.tokens, bearer_token(request), settings.clock())
        require_session(call.connection, claims, call.now)
        repository.link_device(call.connection, call.device_id, claims.person_id)


@router.delete("/self/person", status_code=204, responses=SIGNED, openapi_extra=SIGNED_OPERATION)
def unlink_person(door: SignedDoor) -> None:
    """Make this device nobody's again."""
    with door.open() as call:
        repository.unlink_device(call.connection, call.device_id)


@router.delete("/self", status_code=204, responses=SIGNED, openapi_extra=SIGNED_OPERATION)
def leave(door: SignedDoor, request: Request) -> None:
    """Destroy this device: its secret, its keys, its consents and its reports on windows that are still open."""
    with door.open() as call:
        service.remove_device(call.connection, call.device_id, call.now)
        record_event(call.connection, SecurityEvent.DEVICE_REMOVED, call.actor, call.now)
    finish_destruction(context_of(request))


def _certify(context: Context, keys: PublicTrainingKeys) -> bytes:
    """Return the identity key's certificate, good from now on."""
    return certify_identity(context.settings.keys.authority, keys.identity_key, context.settings.clock())


def _require_keys(brought: TrainingKeysRequest) -> PublicTrainingKeys:
    keys = PublicTrainingKeys(brought.node_key, brought.identity_key)
    require_own_keys(keys, brought.node_proof, brought.identity_proof)
    return keys
