"""Access tokens of people: JSON web tokens (RFC 9068) as RFC 8725 wants them. Keys and time are passed in."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from typing import Any, NoReturn

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from api.keys import KeyRing
from api.problems import Problem, ProblemError

ACCESS_SECONDS = 600
"""How long an access token is good for."""

ISSUER = "hearsay"
AUDIENCE = "hearsay-api"

_TYPE = "at+jwt"
_ALGORITHM = "EdDSA"
_CLAIMS = ("iss", "aud", "sub", "sid", "exp", "nbf", "iat", "jti")
_LONGEST = 1024
_SKEW_SECONDS = 5
_FORM = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+){2}")
_ID = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class AccessClaims:
    """Whom a token speaks for.

    Attributes:
        session_id: The login that it belongs to: when that is over, so is the token.
    """

    person_id: str
    session_id: str


def issue_access_token(ring: KeyRing, claims: AccessClaims, now: float) -> str:
    """Return a token signed with the ring's current key.

    Args:
        ring: Ed25519 seeds.
        claims: Whom it speaks for.
        now: Seconds since 1970.
    """
    moment = int(now)
    payload = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": claims.person_id,
        "sid": claims.session_id,
        "iat": moment,
        "nbf": moment,
        "exp": moment + ACCESS_SECONDS,
        "jti": secrets.token_hex(16),
    }
    headers = {"typ": _TYPE, "kid": ring.current}
    return jwt.encode(payload, _key(ring, ring.current), algorithm=_ALGORITHM, headers=headers)


def read_access_token(ring: KeyRing, token: str, now: float) -> AccessClaims:
    """Return whom a token speaks for.

    Args:
        ring: Every key in it may have signed.
        token: As it was sent.
        now: Seconds since 1970.

    Raises:
        ProblemError: It isn't ours, isn't an access token, or its time is over.
    """
    if len(token) > _LONGEST or not _FORM.fullmatch(token):
        _refuse("it hasn't the form of one of ours")
    try:
        # The header decides about the key only, by an id that we know; the algorithm is ours to name (RFC 8725, 3.1).
        kid = _require_header(jwt.get_unverified_header(token))
        payload = jwt.decode(token, _verifying_key(ring, kid), algorithms=[_ALGORITHM], **_CHECKS)
    except jwt.InvalidTokenError:
        _refuse("no key of this server signed it for this server")
    _require_time(payload, now)
    if not all(isinstance(payload[name], str) and _ID.fullmatch(payload[name]) for name in ("sub", "sid", "jti")):
        _refuse("it names nobody")
    return AccessClaims(payload["sub"], payload["sid"])


# Times are compared by our clock, below.
_CHECKS: dict[str, Any] = {
    "audience": AUDIENCE,
    "issuer": ISSUER,
    "options": {
        "require": list(_CLAIMS),
        "strict_aud": True,
        "verify_exp": False,
        "verify_nbf": False,
        "verify_iat": False,
    },
}


def _require_header(header: dict[str, Any]) -> str:
    # No jku, jwk, x5u or crit: a header that says more than ours isn't ours (RFC 8725, 3.10).
    if header.keys() != {"alg", "typ", "kid"} or header["alg"] != _ALGORITHM or header["typ"] != _TYPE:
        _refuse(f"expected the type {_TYPE} and the algorithm {_ALGORITHM}")
    return str(header["kid"])


def _require_time(payload: dict[str, Any], now: float) -> None:
    times = [payload[name] for name in ("nbf", "iat", "exp")]
    if any(type(moment) is not int for moment in times):
        _refuse("its times are not whole seconds")
    starts, issued, ends = times
    if max(starts, issued) > now + _SKEW_SECONDS:
        _refuse("it isn't valid yet")
    if ends <= now or ends - issued > ACCESS_SECONDS:
        _refuse("it has expired: refresh it")


def _verifying_key(ring: KeyRing, kid: str) -> Any:
    if kid not in ring.keys:
        _refuse("no key of this server signed it for this server")
    return _key(ring, kid).public_key()


def _key(ring: KeyRing, kid: str) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(ring.keys[kid])


def _refuse(detail: str) -> NoReturn:
    raise ProblemError(Problem.TOKEN_REFUSED, detail)
