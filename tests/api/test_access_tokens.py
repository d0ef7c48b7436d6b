"""Every way an access token can be wrong (RFC 8725, RFC 9068): each is refused."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from api.auth.access_tokens import ACCESS_SECONDS, AUDIENCE, ISSUER, AccessClaims, issue_access_token, read_access_token
from api.keys import KeyRing
from api.problems import ProblemError
from tests.api.conftest import MONDAY, Api
from tests.api.people import problem, sign_up

NOW = MONDAY.timestamp()
KEYS = {"old": b"o" * 32, "new": b"n" * 32}
RING = KeyRing("new", KEYS)
CLAIMS = AccessClaims("a" * 32, "b" * 32)
FOREIGN = Ed25519PrivateKey.from_private_bytes(b"f" * 32)


def payload(**changes: Any) -> dict[str, Any]:
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": CLAIMS.person_id,
        "sid": CLAIMS.session_id,
        "iat": int(NOW),
        "nbf": int(NOW),
        "exp": int(NOW) + ACCESS_SECONDS,
        "jti": "c" * 32,
    }
    return {name: value for name, value in {**claims, **changes}.items() if value is not None}


def signed(claims: dict[str, Any] | None = None, key: Any = None, algorithm: str = "EdDSA", **header: Any) -> str:
    """Sign by hand, so that nothing which a library would refuse to make is left out."""
    fields = {"alg": algorithm, "typ": "at+jwt", "kid": "new", **header}
    fields = {name: value for name, value in fields.items() if value is not None}
    start = f"{part(fields)}.{part(payload() if claims is None else claims)}"
    signing = key or Ed25519PrivateKey.from_private_bytes(KEYS["new"])
    return f"{start}.{encode(signing.sign(start.encode()))}"


def part(value: Any) -> str:
    return encode(json.dumps(value).encode())


def encode(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def unsigned(algorithm: str) -> str:
    return f"{part({'alg': algorithm, 'typ': 'at+jwt', 'kid': 'new'})}.{part(payload())}."


def hmac_signed(secret: bytes, algorithm: str = "HS256") -> str:
    start = f"{part({'alg': algorithm, 'typ': 'at+jwt', 'kid': 'new'})}.{part(payload())}"
    return f"{start}.{encode(hmac.digest(secret, start.encode(), hashlib.sha256))}"


def public_key() -> Any:
    return Ed25519PrivateKey.from_private_bytes(KEYS["new"]).public_key()


def public_pem() -> bytes:
    return public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def good_parts() -> list[str]:
    return signed().split(".")


def with_claims(**changes: Any) -> Callable[[], str]:
    return lambda: signed(payload(**changes))


def with_header(**changes: Any) -> Callable[[], str]:
    return lambda: signed(**changes)


def changed_payload() -> str:
    head, _, tail = good_parts()
    return f"{head}.{part(payload(sub='d' * 32))}.{tail}"


def of_another_kind(make: Callable[[], Any], algorithm: str) -> Callable[[], str]:
    return lambda: jwt.encode(payload(), make(), algorithm=algorithm, headers={"typ": "at+jwt", "kid": "new"})


ATTACKS: dict[str, Callable[[], str]] = {
    "nothing": lambda: "",
    "one dot": lambda: ".",
    "two dots": lambda: "..",
    "words": lambda: "not.a.token",
    "the algorithm none": lambda: unsigned("none"),
    "the algorithm None": lambda: unsigned("None"),
    "the algorithm NONE": lambda: unsigned("NONE"),
    "no signature": lambda: ".".join(good_parts()[:2]) + ".",
    "no signature and no dot": lambda: ".".join(good_parts()[:2]),
    "a truncated signature": lambda: signed()[:-4],
    "a longer signature": lambda: signed() + "AAAA",
    "a fourth part": lambda: signed() + ".AAAA",
    "its parts in another order": lambda: ".".join(good_parts()[i] for i in (1, 0, 2)),
    "another payload": changed_payload,
    "another token's signature": lambda: ".".join([*good_parts()[:2], signed(payload(jti="d" * 32)).split(".")[2]]),
    "a signature of nulls": lambda: ".".join([*good_parts()[:2], encode(bytes(64))]),
    "a foreign key": lambda: signed(key=FOREIGN),
    "a foreign key and its id": lambda: signed(key=FOREIGN, kid="foreign"),
    "a key id that leads elsewhere": lambda: signed(kid="../../dev/null"),
    "a key id of SQL": lambda: signed(kid="new' OR '1'='1"),
    "no key id": with_header(kid=None),
    "the id of another key": with_header(kid="old"),
    "a key id that is no text": with_header(kid=7),
    "the public key as a shared secret": lambda: hmac_signed(public_key().public_bytes_raw()),
    "the public PEM as a shared secret": lambda: hmac_signed(public_pem()),
    "the key id as a shared secret": lambda: hmac_signed(b"new"),
    "an empty shared secret": lambda: hmac_signed(b"\x00"),
    "an elliptic curve": of_another_kind(lambda: ec.generate_private_key(ec.SECP256R1()), "ES256"),
    "RSA": of_another_kind(lambda: rsa.generate_private_key(65537, 2048), "RS256"),
    "another algorithm named": with_header(algorithm="ES256"),
    "its own key in the header": with_header(jwk={"kty": "OKP", "crv": "Ed25519", "x": "AAAA"}),
    "an address of keys in the header": with_header(jku="https://evil.example/keys"),
    "a certificate's address in the header": with_header(x5u="https://evil.example/cert"),
    "a critical extension": with_header(crit=["exp"]),
    "an unencoded payload": with_header(b64=False, crit=["b64"]),
    "the type JWT": with_header(typ="JWT"),
    "no type": with_header(typ=None),
    "the type of a refresh token": with_header(typ="rt+jwt"),
    "another issuer": with_claims(iss="evil"),
    "a list of issuers": with_claims(iss=[ISSUER]),
    "no issuer": with_claims(iss=None),
    "another audience": with_claims(aud="another-api"),
    "a list of audiences": with_claims(aud=[AUDIENCE, "another-api"]),
    "no audience": with_claims(aud=None),
    "no subject": with_claims(sub=None),
    "an empty subject": with_claims(sub=""),
    "a subject that is no text": with_claims(sub=1),
    "a subject of another form": with_claims(sub="a" * 31 + "'"),
    "no session": with_claims(sid=None),
    "a session of another form": with_claims(sid="*"),
    "no id": with_claims(jti=None),
    "no expiry": with_claims(exp=None),
    "an expiry that is over": with_claims(exp=int(NOW) - 1),
    "an expiry that is text": with_claims(exp="9999999999"),
    "an expiry that is a truth": with_claims(exp=True),
    "an endless expiry": with_claims(exp=1e300),
    "too long a life": with_claims(exp=int(NOW) + ACCESS_SECONDS + 1),
    "no beginning": with_claims(nbf=None),
    "a beginning that is to come": with_claims(nbf=int(NOW) + 60),
    "no moment of issue": with_claims(iat=None),
    "an issue that is to come": with_claims(iat=int(NOW) + 60, exp=int(NOW) + 600),
    "a payload that is a list": lambda: signed([]),  # type: ignore[arg-type]
    "a header that is a list": lambda: f"{part([])}.{part(payload())}.AAAA",
    "a payload that is no JSON": lambda: f"{good_parts()[0]}.{encode(b'{')}.{good_parts()[2]}",
    "padding": lambda: signed() + "==",
    "white space": lambda: signed() + " ",
    "a line break": lambda: signed().replace(".", ".\n"),
    "letters that are not ASCII": lambda: signed() + "é",
    "a megabyte": lambda: "A" * 1_000_000,
    "five parts, as of an encrypted one": lambda: "a.b.c.d.e",
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_token_with(attack: str) -> None:
    with pytest.raises(ProblemError) as refusal:
        read_access_token(RING, ATTACKS[attack](), NOW)
    assert refusal.value.problem.slug == "token-refused"


def test_there_are_enough_attacks() -> None:
    from tests.api.test_signatures import ATTACKS as SIGNATURE_ATTACKS

    assert len(ATTACKS) + len(SIGNATURE_ATTACKS) >= 100


def test_the_token_that_all_attacks_start_from_is_good() -> None:
    assert read_access_token(RING, signed(), NOW) == CLAIMS


def test_an_issued_token_has_its_type_its_key_and_every_claim() -> None:
    token = issue_access_token(RING, CLAIMS, NOW)
    assert read_access_token(RING, token, NOW + ACCESS_SECONDS - 1) == CLAIMS
    assert jwt.get_unverified_header(token) == {"alg": "EdDSA", "typ": "at+jwt", "kid": "new"}
    claims = jwt.decode(token, options={"verify_signature": False})
    assert claims.keys() == payload().keys()
    assert (
        claims["jti"] != jwt.decode(issue_access_token(RING, CLAIMS, NOW), options={"verify_signature": False})["jti"]
    )


def test_a_token_of_an_older_key_is_good_until_the_key_is_taken_away() -> None:
    token = issue_access_token(KeyRing("old", KEYS), CLAIMS, NOW)
    assert read_access_token(RING, token, NOW) == CLAIMS
    with pytest.raises(ProblemError):
        read_access_token(KeyRing("new", {"new": KEYS["new"]}), token, NOW)


@pytest.mark.parametrize("ahead", [-4, 5])
def test_servers_clocks_may_differ_a_little(ahead: int) -> None:
    read_access_token(RING, issue_access_token(RING, CLAIMS, NOW), NOW - ahead)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "Bearer",
        "Bearer ",
        "Basic {token}",
        "{token}",
        "bearer  {token}",
        "Bearer {token} {token}",
        "Bearer {token},{token}",
    ],
)
def test_the_header_holds_one_token_and_nothing_else(sqlite_api: Api, line: str) -> None:
    person = sign_up(sqlite_api, f"header-{secrets.token_hex(4)}")
    given = {"Authorization": line.format(token=person.access)}
    answer = sqlite_api.connection.get("/v1/people/self", headers=given)
    assert problem(answer) == (401, "token-refused")
    assert answer.headers["www-authenticate"] == "Bearer"


def test_two_headers_are_refused_and_a_token_anywhere_else_is_not_seen(sqlite_api: Api) -> None:
    person = sign_up(sqlite_api, f"twice-{secrets.token_hex(4)}")
    line = ("Authorization", f"Bearer {person.access}")
    get = sqlite_api.connection.get
    assert get("/v1/people/self", headers=[line]).status_code == 200
    assert get("/v1/people/self", headers=[line, line]).status_code == 401
    assert get(f"/v1/people/self?access_token={person.access}").status_code == 401
    assert get("/v1/people/self", headers={"Cookie": f"access_token={person.access}"}).status_code == 401


def test_a_token_of_one_session_is_no_good_for_another_person(sqlite_api: Api) -> None:
    first, second = (sign_up(sqlite_api, f"{name}-{secrets.token_hex(4)}") for name in ("first", "second"))
    ids = [person.request("GET", "/v1/people/self").json()["id"] for person in (first, second)]
    sessions = [person.request("GET", "/v1/people/sessions").json()[0]["id"] for person in (first, second)]
    ring = sqlite_api.app.state.context.settings.keys.tokens
    first.access = issue_access_token(ring, AccessClaims(ids[0], sessions[1]), sqlite_api.clock())
    assert first.request("GET", "/v1/people/self").status_code == 401


def test_a_refresh_token_and_an_access_token_do_not_stand_in_for_each_other(sqlite_api: Api) -> None:
    person = sign_up(sqlite_api, f"mixed-{secrets.token_hex(4)}")
    given = {"refresh_token": person.access}
    assert sqlite_api.connection.post("/v1/people/sessions/refresh", json=given).status_code == 422
    person.access = person.refresh
    assert person.request("GET", "/v1/people/self").status_code == 401


REFRESH_ATTACKS: dict[str, Callable[[str], str]] = {
    "its secret truncated": lambda token: token[:-1],
    "its secret longer": lambda token: token + "A",
    "no secret": lambda token: token.partition(".")[0],
    "no session": lambda token: token.partition(".")[2],
    "its parts in another order": lambda token: ".".join(token.split(".")[::-1]),
    "another session": lambda token: "0" * 32 + token[32:],
    "another secret": lambda token: token[:33] + "A" * 43,
    "a null": lambda token: token[:-1] + "\x00",
    "upper case": lambda token: token.upper(),
}


@pytest.mark.parametrize("attack", REFRESH_ATTACKS)
def test_a_refresh_token_with(sqlite_api: Api, attack: str) -> None:
    person = sign_up(sqlite_api, f"refresh-{secrets.token_hex(4)}")
    given = {"refresh_token": REFRESH_ATTACKS[attack](person.refresh)}
    assert sqlite_api.connection.post("/v1/people/sessions/refresh", json=given).status_code in (401, 422)
