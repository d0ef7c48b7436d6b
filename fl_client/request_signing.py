"""Signing a device's requests (RFC 9421), as httpx asks for it."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Generator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import httpx
from http_message_signatures import HTTPMessageSigner, MappingKeyResolver, algorithms

from models.domain.signature import COVERED_COMPONENTS, SIGNATURE_SECONDS, SIGNATURE_TAG

_LABEL = "device"
_NONCE_BYTES = 24


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a device signs with.

    Attributes:
        device_id: Random; given by the API at enrolment.
        secret: Sensitive: whoever has it is this device.
        certificate: The enrolment authority's, of the device's identity key; ``None`` where it has none.
    """

    device_id: str
    secret: bytes
    certificate: bytes | None = None

    def __repr__(self) -> str:
        """Leave the secret out."""
        return f"Credentials(device_id={self.device_id!r})"


class DeviceSignature(httpx.Auth):
    """Signs every request that it is given to, each with a nonce of its own."""

    requires_request_body = True

    def __init__(self, credentials: Credentials, now: Callable[[], datetime] | None = None) -> None:
        keys = {credentials.device_id: credentials.secret}
        self._device_id = credentials.device_id
        self._now = now or (lambda: datetime.now(UTC))
        self._signer = HTTPMessageSigner(
            signature_algorithm=algorithms.HMAC_SHA256,
            key_resolver=MappingKeyResolver(public_keys=keys, private_keys=keys),
        )

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Sign the request and send it once."""
        created = self._now()
        self._signer.sign(
            request,
            key_id=self._device_id,
            created=created,
            expires=created + timedelta(seconds=SIGNATURE_SECONDS),
            nonce=secrets.token_urlsafe(_NONCE_BYTES),
            label=_LABEL,
            tag=SIGNATURE_TAG,
            covered_component_ids=COVERED_COMPONENTS,
            body=request.content,
        )
        yield request
