"""The door that signed requests come through: an endpoint gets a database connection only from here.

Opening it verifies the signature, uses the nonce up and checks the consent, all in the request's one transaction. It is
opened inside the endpoint's own thread: a dependency that held a connection while its endpoint waits for a thread could
block for ever under load.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy import Connection

from api.auth.signatures import HeaderLines, SignedMessage, VerifiedSignature, verify_signature
from api.consents.service import require_consent
from api.context import Context, context_of
from api.database import transaction
from api.devices import repository
from api.devices.vault import open_secret
from api.documentation import problems
from api.limits import body_of
from api.problems import Problem, ProblemError
from api.security_events import Actor
from models.domain.consent import Purpose
from models.domain.signature import CLOCK_SKEW_SECONDS

SIGNED = problems(
    Problem.SIGNATURE_REFUSED,
    Problem.CLOCK_SKEW,
    Problem.NONCE_REPLAYED,
    Problem.DATABASE_UNAVAILABLE,
)
"""Errors that every signed endpoint may answer with."""

CONSENTED = SIGNED | problems(Problem.CONSENT_MISSING)
"""Errors of an endpoint that needs a consent too."""


@dataclass(frozen=True, slots=True)
class DeviceCall:
    """A request whose device is known, inside its transaction.

    Attributes:
        text_version: Of the text that was consented to, ``None`` where the endpoint needs no consent.
    """

    connection: Connection
    device_id: str
    now: datetime
    text_version: str | None = None

    @property
    def actor(self) -> Actor:
        """Who is named where the request is recorded."""
        return Actor("device", self.device_id)


class Door:
    """One request that is still to be let in.

    Attributes:
        purpose: What the device must have consented to, ``None`` where nothing is needed.
    """

    def __init__(self, request: Request, purpose: Purpose | None) -> None:
        self._request, self.purpose = request, purpose
        self._context: Context = context_of(request)
        self._signature: VerifiedSignature | None = None

    @contextmanager
    def open(self) -> Iterator[DeviceCall]:
        """Let the request in, for one transaction.

        Raises:
            ProblemError: The signature is refused, or the consent is missing.
        """
        try:
            with transaction(self._context.engine) as connection:
                yield self.enter(connection)
        except ProblemError:
            self._keep_nonce()
            raise

    def enter(self, connection: Connection) -> DeviceCall:
        """Let the request into a transaction that is committed even where it is refused: its nonce is used up.

        Raises:
            ProblemError: The signature is refused, or the consent is missing.
        """
        signature = self._signature = self._verify_secret(connection)
        if not repository.use_nonce(connection, signature.device_id, signature.nonce, _forget_at(signature)):
            raise ProblemError(Problem.NONCE_REPLAYED, "sign every request anew, with a nonce of its own")
        version = None
        if self.purpose is not None:
            version = require_consent(connection, signature.device_id, self.purpose).text_version
        return DeviceCall(connection, signature.device_id, self._context.settings.now, version)

    def _verify_secret(self, connection: Connection) -> VerifiedSignature:
        """Verify under the device's secret, or under the one that waits, which the first use confirms."""
        settings, waiting = self._context.settings, {}

        def find_secret(device_id: str) -> bytes | None:
            stored = repository.find_secrets(connection, device_id)
            if stored is None:
                return None
            if stored.waiting is not None:
                waiting[device_id] = stored.waiting
            return open_secret(settings.keys.encryption, device_id, stored.current)

        def find_waiting(device_id: str) -> bytes | None:
            return open_secret(settings.keys.encryption, device_id, waiting[device_id])

        message = _signed_message(self._request)
        try:
            return verify_signature(message, find_secret, settings.clock())
        except ProblemError as refusal:
            if not waiting or refusal.problem is not Problem.SIGNATURE_REFUSED:
                raise
        signature = verify_signature(message, find_waiting, settings.clock())
        repository.confirm_secret(connection, signature.device_id, waiting[signature.device_id])
        return signature

    def _keep_nonce(self) -> None:
        """Use the nonce of a refused request up all the same: replayed later it might no longer be refused."""
        signature = self._signature
        if signature is not None:
            with transaction(self._context.engine) as connection:
                repository.use_nonce(connection, signature.device_id, signature.nonce, _forget_at(signature))


async def _signed(request: Request) -> Door:
    return Door(request, None)


async def _signed_for_statistics(request: Request) -> Door:
    return Door(request, Purpose.STATISTICS)


SignedDoor = Annotated[Door, Depends(_signed)]
"""For what every enrolled device may do."""

StatisticsDoor = Annotated[Door, Depends(_signed_for_statistics)]
"""For what only devices may do that consented to statistics."""


def _forget_at(signature: VerifiedSignature) -> int:
    """Return from when on the signature is refused as expired, whatever its nonce."""
    return signature.expires_at + CLOCK_SKEW_SECONDS + 1


def _signed_message(request: Request) -> SignedMessage:
    scope = request.scope
    path: bytes = scope.get("raw_path") or scope["path"].encode()
    query: bytes = scope["query_string"]
    target = path.decode("latin-1") + (f"?{query.decode('latin-1')}" if query else "")
    host = request.headers.get("host", "")
    return SignedMessage(
        method=request.method,
        url=f"{scope['scheme']}://{host}{target}",
        headers=HeaderLines(scope["headers"]),
        body=body_of(request),
    )
