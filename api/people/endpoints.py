"""People over HTTP: a login name and a password; nothing here is needed to be warned, or to take part."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request

from api.auth.bearer import LOGGED_IN, Person
from api.context import context_of
from api.database import transaction
from api.destruction import finish_destruction
from api.devices.repository import devices_of
from api.devices.service import remove_device
from api.documentation import BEARER_OPERATION, problems
from api.moments import moment
from api.people import repository, service
from api.people.schemas import (
    DeviceAnswer,
    NameAndPassword,
    NewPassword,
    NewPerson,
    PersonAnswer,
    RefreshRequest,
    SessionAnswer,
    TokenAnswer,
)
from api.people.sessions import Tokens, refresh_session
from api.problems import Problem, ProblemError
from api.security_events import SecurityEvent, record_event

router = APIRouter(prefix="/v1/people", tags=["people"])

SessionName = Annotated[str, Path(pattern=r"^(current|[0-9a-f]{32})$", examples=["current"])]

DeviceId = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$", examples=["5b0f2d0c9e6f4a57a3c1de8b7f204c19"])]

_ASKS_PASSWORD = (
    Problem.TOO_MANY_ATTEMPTS,
    Problem.INVALID,
    Problem.DATABASE_UNAVAILABLE,
)


@router.post(
    "",
    status_code=201,
    responses=problems(
        Problem.LOGIN_REFUSED,
        Problem.NAME_TAKEN,
        Problem.PASSWORD_REFUSED,
        Problem.TOO_MANY_ATTEMPTS,
        Problem.INVALID,
        Problem.DATABASE_UNAVAILABLE,
    ),
)
def sign_up(wanted: NewPerson, request: Request) -> TokenAnswer:
    """Make an account and log in. A forgotten password can't be had back: there is no address to send one to."""
    password = wanted.password.get_secret_value()
    tokens = service.sign_up(context_of(request), wanted.name, password, _address(request))
    return _answer(tokens)


@router.post("/sessions", status_code=201, responses=problems(*_ASKS_PASSWORD, Problem.LOGIN_REFUSED))
def log_in(given: NameAndPassword, request: Request) -> TokenAnswer:
    """Log in. An unknown name and a wrong password get the same answer."""
    password = given.password.get_secret_value()
    tokens = service.log_in(context_of(request), given.name, password, _address(request))
    return _answer(tokens)


@router.post(
    "/sessions/refresh",
    responses=problems(Problem.SESSION_OVER, Problem.INVALID, Problem.DATABASE_UNAVAILABLE),
)
def refresh(given: RefreshRequest, request: Request) -> TokenAnswer:
    """Get new tokens for the refresh token that came last; with an older one the session ends."""
    context = context_of(request)
    settings = context.settings
    with transaction(context.engine) as connection:
        tokens = refresh_session(connection, settings.keys.tokens, given.refresh_token, settings.clock())
    if tokens is None:  # told after the transaction, which may have ended the session
        raise ProblemError(Problem.SESSION_OVER, "log in again")
    return _answer(tokens)


@router.get("/sessions", responses=LOGGED_IN, openapi_extra=BEARER_OPERATION)
def list_sessions(person: Person) -> list[SessionAnswer]:
    """Where this person is logged in."""
    with person.open(write=False) as call:
        found = repository.list_sessions(call.connection, call.person_id, int(call.now.timestamp()))
    return [
        SessionAnswer(
            id=session.id,
            started_at=moment(session.started_at),
            expires_at=moment(session.expires_at),
            current=session.id == call.session_id,
        )
        for session in found
    ]


@router.delete(
    "/sessions/{session}",
    status_code=204,
    responses=LOGGED_IN | problems(Problem.NOT_FOUND, Problem.INVALID),
    openapi_extra=BEARER_OPERATION,
)
def log_out(session: SessionName, person: Person) -> None:
    """Log out here, or on another device. Its tokens are refused from now on."""
    with person.open() as call:
        ended = call.session_id if session == "current" else session
        if not repository.end_session(call.connection, call.person_id, ended):
            raise ProblemError(Problem.NOT_FOUND, "this person has no such session")
        record_event(call.connection, SecurityEvent.LOGGED_OUT, call.actor, call.now)


@router.delete("/sessions", status_code=204, responses=LOGGED_IN, openapi_extra=BEARER_OPERATION)
def log_out_everywhere(person: Person) -> None:
    """Log out on all devices."""
    with person.open() as call:
        repository.end_sessions(call.connection, call.person_id)
        record_event(call.connection, SecurityEvent.LOGGED_OUT_EVERYWHERE, call.actor, call.now)


@router.get("/self", responses=LOGGED_IN, openapi_extra=BEARER_OPERATION)
def read_person(person: Person) -> PersonAnswer:
    """What is held about this person."""
    with person.open(write=False) as call:
        found = repository.find_person(call.connection, call.person_id)
    if found is None:
        raise ProblemError(Problem.TOKEN_REFUSED, "its session is over: log in again")
    return PersonAnswer(id=found.id, name=found.name, role=found.role)


@router.put(
    "/self/password",
    responses=problems(
        *_ASKS_PASSWORD, Problem.TOKEN_REFUSED, Problem.LOGIN_REFUSED, Problem.PASSWORD_WRONG, Problem.PASSWORD_REFUSED
    ),
    openapi_extra=BEARER_OPERATION,
)
def change_password(given: NewPassword, person: Person, request: Request) -> TokenAnswer:
    """Change the password. All sessions end, and a new one begins here."""
    with person.open(write=False) as call:
        person_id = call.person_id
    tokens = service.change_password(
        context_of(request),
        person_id,
        given.current_password.get_secret_value(),
        given.new_password.get_secret_value(),
        _address(request),
    )
    return _answer(tokens)


@router.delete("/self", status_code=204, responses=LOGGED_IN, openapi_extra=BEARER_OPERATION)
def remove_person(person: Person, request: Request) -> None:
    """Destroy this person's account with everything that is tied to it, the devices linked to it too."""
    with person.open() as call:
        for device_id in devices_of(call.connection, call.person_id):
            remove_device(call.connection, device_id, call.now)
        repository.remove_person(call.connection, call.person_id)
        record_event(call.connection, SecurityEvent.PERSON_REMOVED, call.actor, call.now)
    finish_destruction(context_of(request))


@router.get("/self/devices", responses=LOGGED_IN, openapi_extra=BEARER_OPERATION)
def list_devices(person: Person) -> list[DeviceAnswer]:
    """The devices that were linked to this person."""
    with person.open(write=False) as call:
        return [DeviceAnswer(device_id=device_id) for device_id in devices_of(call.connection, call.person_id)]


@router.delete(
    "/self/devices/{device_id}",
    status_code=204,
    responses=LOGGED_IN | problems(Problem.NOT_FOUND, Problem.INVALID),
    openapi_extra=BEARER_OPERATION,
)
def revoke_device(device_id: DeviceId, person: Person, request: Request) -> None:
    """Destroy one of this person's devices, such as a phone that was lost."""
    with person.open() as call:
        if device_id not in devices_of(call.connection, call.person_id):
            raise ProblemError(Problem.NOT_FOUND, "this person has no such device")
        remove_device(call.connection, device_id, call.now)
        record_event(call.connection, SecurityEvent.DEVICE_REMOVED, call.actor, call.now, device_id)
    finish_destruction(context_of(request))


def _answer(tokens: Tokens) -> TokenAnswer:
    return TokenAnswer(access_token=tokens.access, refresh_token=tokens.refresh)


def _address(request: Request) -> str:
    return "" if request.client is None else request.client.host
