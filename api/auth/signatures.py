"""Verifying what devices sign (RFC 9421, with RFC 9530's digest of the body). Secrets and time are passed in."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, NoReturn

from http_message_signatures import HTTPMessageVerifier, HTTPSignatureKeyResolver, algorithms
from http_message_signatures.exceptions import HTTPMessageSignaturesException

from api.problems import Problem, ProblemError
from models.domain.signature import (
    CLOCK_SKEW_SECONDS,
    COVERED_COMPONENTS,
    LONGEST_SIGNATURE_SECONDS,
    NONCE_LENGTHS,
    SIGNATURE_TAG,
)

FindSecret = Callable[[str], bytes | None]
"""Returns the secret of a device id, ``None`` where there is no such device."""


class HeaderLines:
    """The header fields as they came, repeated ones too."""

    def __init__(self, raw: Iterable[tuple[bytes, bytes]]) -> None:
        self._lines = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in raw]

    def items(self) -> list[tuple[str, str]]:
        """Return every line, in order."""
        return self._lines


@dataclass(frozen=True, slots=True)
class SignedMessage:
    """A request as it crossed the wire.

    Attributes:
        url: Absolute, path and query still encoded.
    """

    method: str
    url: str
    headers: HeaderLines
    body: bytes


@dataclass(frozen=True, slots=True)
class VerifiedSignature:
    """Who signed a request, and what keeps it from being answered twice."""

    device_id: str
    nonce: str
    expires_at: int


_TO_BE_COVERED = frozenset(f'"{name}"' for name in COVERED_COMPONENTS)
# As the library spells them; asked to look itself, it would parse all of our names for every request.

_NOT_VALID = "no valid signature of a known device covers " + ", ".join(COVERED_COMPONENTS)


def verify_signature(message: SignedMessage, find_secret: FindSecret, now: float) -> VerifiedSignature:
    """Return who signed a request.

    Args:
        message: The request.
        find_secret: Looks a device's secret up.
        now: Seconds since 1970.

    Raises:
        ProblemError: The signature is missing, wrong, expired, covers too little, or the clocks are too far apart.
    """
    verifier = _Verifier(find_secret, now)
    try:
        results = verifier.verify(
            message,
            max_age=None,
            expect_tag=SIGNATURE_TAG,
            body=None if _digest_is_plain(message) else message.body,
        )
    except HTTPMessageSignaturesException:
        # The library's own words may quote header fields, so they are not passed on.
        _refuse(_NOT_VALID)
    if len(results) != 1:
        _refuse("there is more than one signature with the tag " + SIGNATURE_TAG)
    if not results[0].covered_components.keys() >= _TO_BE_COVERED:
        _refuse(_NOT_VALID)
    parameters = results[0].parameters
    return VerifiedSignature(
        device_id=str(parameters["keyid"]),
        nonce=_check_nonce(parameters.get("nonce")),
        expires_at=int(parameters["expires"]),
    )


def _digest_is_plain(message: SignedMessage) -> bool:
    """Say whether the digest is the body's, spelled as our client does; the library judges all others, in more time."""
    digests = [value for name, value in message.headers.items() if name == "content-digest"]
    return digests == [f"sha-256=:{b64encode(sha256(message.body).digest()).decode()}:"]


class _Secrets(HTTPSignatureKeyResolver):
    def __init__(self, find_secret: FindSecret) -> None:
        self._find_secret = find_secret

    def resolve_public_key(self, key_id: str) -> bytes | None:
        return self._find_secret(key_id)

    def resolve_private_key(self, key_id: str) -> NoReturn:
        _refuse("the server signs nothing with a device's key")


class _Verifier(HTTPMessageVerifier):
    """The library's verifier with our clock, our bounds, and an answer that tells a wrong clock from a wrong key."""

    def __init__(self, find_secret: FindSecret, now: float) -> None:
        super().__init__(signature_algorithm=algorithms.HMAC_SHA256, key_resolver=_Secrets(find_secret))
        self._now = now

    def validate_created_and_expires(self, sig_input: Any, max_age: object = None) -> None:
        created, expires = sig_input.params.get("created"), sig_input.params.get("expires")
        if type(created) is not int or type(expires) is not int:
            _refuse("a signature needs the parameters created and expires, in whole seconds since 1970")
        if not 0 < expires - created <= LONGEST_SIGNATURE_SECONDS:
            _refuse(f"a signature must expire within {LONGEST_SIGNATURE_SECONDS} s of its creation")
        if created > self._now + CLOCK_SKEW_SECONDS:
            self._refuse_clock(f"the signature was made {created - self._now:.0f} s in the future")
        if expires < self._now - CLOCK_SKEW_SECONDS:
            self._refuse_clock(f"the signature expired {self._now - expires:.0f} s ago")

    def _refuse_clock(self, finding: str) -> NoReturn:
        raise ProblemError(
            Problem.CLOCK_SKEW,
            f"{finding} by the server's clock; {CLOCK_SKEW_SECONDS} s are allowed: set the clock and sign again",
            server_time=int(self._now),
        )


def _check_nonce(nonce: object) -> str:
    shortest, longest = NONCE_LENGTHS
    if not isinstance(nonce, str) or not shortest <= len(nonce) <= longest:
        _refuse(f"a signature needs a nonce of {shortest} to {longest} characters")
    return nonce


def _refuse(detail: str) -> NoReturn:
    raise ProblemError(Problem.SIGNATURE_REFUSED, detail)
