"""Every way a signed request can be wrong: each is refused, and none leaves a trace."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable
from datetime import timedelta

import httpx
import pytest
from http_message_signatures import HTTPMessageSigner, MappingKeyResolver, algorithms

from api.auth.signatures import HeaderLines, SignedMessage, verify_signature
from api.problems import ProblemError
from fl_client.request_signing import Credentials, DeviceSignature
from models.domain.consent import Purpose
from models.domain.signature import COVERED_COMPONENTS, SIGNATURE_TAG
from models.errors import SignatureRefusedError
from tests.api.conftest import MONDAY, Api

DEVICE = Credentials("0" * 32, b"k" * 32)
URL = "https://api.example/v1/statistics/reports?window=2026-W46"
BODY = b'{"window":"2026-W46"}'
NOW = MONDAY.timestamp()


def signed(**changes: object) -> httpx.Request:
    request = httpx.Request("POST", URL, content=BODY)
    settings: dict[str, object] = {
        "key_id": DEVICE.device_id,
        "created": MONDAY,
        "expires": MONDAY + timedelta(seconds=60),
        "nonce": "n" * 24,
        "tag": SIGNATURE_TAG,
        "covered_component_ids": COVERED_COMPONENTS,
        "body": BODY,
    }
    settings.update(changes)
    secret = settings.pop("secret", DEVICE.secret)
    algorithm = settings.pop("algorithm", algorithms.HMAC_SHA256)
    keys = {str(settings["key_id"]): secret}
    signer = HTTPMessageSigner(
        signature_algorithm=algorithm,  # type: ignore[arg-type]
        key_resolver=MappingKeyResolver(public_keys={}, private_keys=keys),  # type: ignore[arg-type]
    )
    signer.sign(request, **settings)  # type: ignore[arg-type]
    return request


def message(request: httpx.Request, **changes: object) -> SignedMessage:
    parts: dict[str, object] = {
        "method": request.method,
        "url": str(request.url),
        "headers": HeaderLines(request.headers.raw),
        "body": request.content,
    }
    return SignedMessage(**{**parts, **changes})  # type: ignore[arg-type]


def verify(found: SignedMessage, now: float = NOW) -> str:
    return verify_signature(found, {DEVICE.device_id: DEVICE.secret}.get, now).device_id


def with_header(name: str, change: Callable[[str], str]) -> SignedMessage:
    request = signed()
    request.headers[name] = change(request.headers[name])
    return message(request)


def without_header(name: str) -> SignedMessage:
    request = signed()
    del request.headers[name]
    return message(request)


def test_what_the_client_signs_is_accepted() -> None:
    request = next(DeviceSignature(DEVICE, lambda: MONDAY).auth_flow(httpx.Request("DELETE", URL)))
    assert verify(message(request)) == DEVICE.device_id


def test_the_signature_is_rfc_9421s_over_exactly_these_lines() -> None:
    # The base is put together here by hand, from RFC 9421 section 2.5, so that library and client can't err together.
    request = signed(label="sig")
    parameters = request.headers["signature-input"].removeprefix("sig=")
    digest = base64.b64encode(hashlib.sha256(BODY).digest()).decode()
    base = (
        '"@method": POST\n'
        '"@authority": api.example\n'
        '"@path": /v1/statistics/reports\n'
        '"@query": ?window=2026-W46\n'
        f'"content-digest": sha-256=:{digest}:\n'
        f'"@signature-params": {parameters}'
    )
    expected = base64.b64encode(hmac.digest(DEVICE.secret, base.encode(), "sha256")).decode()
    assert request.headers["signature"] == f"sig=:{expected}:"


ATTACKS: dict[str, Callable[[], SignedMessage]] = {
    "another method": lambda: message(signed(), method="PUT"),
    "another authority": lambda: message(signed(), url=URL.replace("api.", "evil.")),
    "another port": lambda: message(signed(), url=URL.replace("example/", "example:444/")),
    "another path": lambda: message(signed(), url=URL.replace("reports", "report")),
    "a path in other case": lambda: message(signed(), url=URL.replace("reports", "Reports")),
    "an encoded path": lambda: message(signed(), url=URL.replace("reports", "report%73")),
    "a doubled slash": lambda: message(signed(), url=URL.replace("/v1", "//v1")),
    "another query": lambda: message(signed(), url=URL.replace("W46", "W45")),
    "no query": lambda: message(signed(), url=URL.partition("?")[0]),
    "a longer query": lambda: message(signed(), url=URL + "&window=2026-W45"),
    "another body": lambda: message(signed(), body=BODY.replace(b"46", b"45")),
    "an empty body": lambda: message(signed(), body=b""),
    "a longer body": lambda: message(signed(), body=BODY + b" "),
    "another digest": lambda: with_header("content-digest", lambda text: text[:-3] + "A=:"),
    "a digest of another kind": lambda: with_header("content-digest", lambda _: "md5=:1B2M2Y8AsgTpgAmY7PhCfg==:"),
    "no digest": lambda: without_header("content-digest"),
    "no signature": lambda: without_header("signature"),
    "no signature input": lambda: without_header("signature-input"),
    "an empty signature": lambda: with_header("signature", lambda _: ""),
    "a signature of no bytes": lambda: with_header("signature", lambda _: "pyhms=::"),
    "a truncated signature": lambda: with_header("signature", lambda text: text[:20] + ":"),
    "a signature of another form": lambda: with_header("signature", lambda _: "pyhms=1"),
    "another label": lambda: with_header("signature", lambda text: text.replace("pyhms", "other")),
    "a label twice": lambda: with_header("signature-input", lambda text: f"{text}, {text}"),
    "another created": lambda: with_header("signature-input", lambda text: text.replace("created=1", "created=0")),
    "a later expiry": lambda: with_header("signature-input", lambda text: text.replace("expires=", "expires=1")),
    "another nonce": lambda: with_header("signature-input", lambda text: text.replace("nnn", "mmm")),
    "another key id": lambda: with_header("signature-input", lambda text: text.replace("000", "001")),
    "another algorithm named": lambda: with_header("signature-input", lambda text: text.replace("hmac-sha256", "none")),
    "another tag": lambda: with_header("signature-input", lambda text: text.replace(SIGNATURE_TAG, "other")),
    "a component taken away": lambda: with_header("signature-input", lambda text: text.replace('"@query" ', "")),
    "components in another order": lambda: with_header(
        "signature-input", lambda text: text.replace('"@method" "@authority"', '"@authority" "@method"')
    ),
    "garbage": lambda: with_header("signature-input", lambda _: "\x00\x01((((("),
    "a key nobody has": lambda: message(signed(key_id="f" * 32)),
    "another secret": lambda: message(signed(secret=b"x" * 32)),
    "an empty secret": lambda: message(signed(secret=b"\x00")),
    "no tag": lambda: message(signed(tag=None)),
    "no nonce": lambda: message(signed(nonce=None)),
    "a short nonce": lambda: message(signed(nonce="n" * 15)),
    "a long nonce": lambda: message(signed(nonce="n" * 65)),
    "no expiry": lambda: message(signed(expires=None)),
    "a signature for a day": lambda: message(signed(expires=MONDAY + timedelta(days=1))),
    "an expiry before its creation": lambda: message(signed(expires=MONDAY - timedelta(seconds=1))),
    "two signatures": lambda: message(_signed_twice()),
} | {
    f"{left_out} not covered": lambda left_out=left_out: message(  # type: ignore[misc]
        signed(covered_component_ids=[name for name in COVERED_COMPONENTS if name != left_out], body=None)
        if left_out == "content-digest"
        else signed(covered_component_ids=[name for name in COVERED_COMPONENTS if name != left_out])
    )
    for left_out in COVERED_COMPONENTS
}


def _signed_twice() -> httpx.Request:
    request = signed(label="first")
    keys = {DEVICE.device_id: DEVICE.secret}
    HTTPMessageSigner(
        signature_algorithm=algorithms.HMAC_SHA256,
        key_resolver=MappingKeyResolver(public_keys={}, private_keys=keys),  # type: ignore[arg-type]
    ).sign(
        request,
        key_id=DEVICE.device_id,
        created=MONDAY,
        expires=MONDAY + timedelta(seconds=60),
        nonce="m" * 24,
        tag=SIGNATURE_TAG,
        label="second",
        covered_component_ids=COVERED_COMPONENTS,
        use_existing_digest=True,
        append_if_signature_exists=True,
    )
    return request


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_request_with(attack: str) -> None:
    with pytest.raises(ProblemError) as refusal:
        verify(ATTACKS[attack]())
    assert refusal.value.problem.status == 401


@pytest.mark.parametrize("seconds", [-29, 0, 60, 89])
def test_a_clock_that_is_a_little_wrong_is_forgiven(seconds: int) -> None:
    assert verify(message(signed()), NOW + seconds) == DEVICE.device_id


@pytest.mark.parametrize(("seconds", "said"), [(-100, "100 s in the future"), (400, "expired 340 s ago")])
def test_a_wrong_clock_is_told_apart_and_explained(seconds: int, said: str) -> None:
    with pytest.raises(ProblemError, match=said) as refusal:
        verify(message(signed()), NOW + seconds)
    assert refusal.value.problem.slug == "clock-skew"
    assert refusal.value.members == {"server_time": int(NOW + seconds)}


def test_a_replayed_request_is_refused_also_when_the_first_one_was_refused(api: Api) -> None:
    device = api.enrolled()
    first = next(device._signature.auth_flow(api.connection.build_request("GET", "/v1/statistics/verdict")))  # type: ignore[union-attr]
    assert api.connection.send(first).json()["type"] == "/problems/consent-missing"
    for text in device.consent_texts():
        if text.purpose is Purpose.STATISTICS:
            device.give_consent(text)
    assert api.connection.send(first).json()["type"] == "/problems/nonce-replayed"


def test_nonces_are_forgotten_once_their_signatures_have_expired(api: Api) -> None:
    from api.upkeep import run_upkeep

    api.enrolled().consents()
    run_upkeep(api.app.state.context)
    assert api.count("nonces") == 1
    api.clock.now += timedelta(minutes=10)
    run_upkeep(api.app.state.context)
    assert api.count("nonces") == 0


def test_the_client_says_that_the_clock_is_wrong(sqlite_api: Api) -> None:
    device = sqlite_api.enrolled()
    device_time = sqlite_api.clock.now
    sqlite_api.device_clock = type(sqlite_api.clock)(device_time)
    sqlite_api.clock.now += timedelta(hours=1)
    with pytest.raises(SignatureRefusedError, match="set the clock"):
        device.consents()


def test_one_device_cannot_sign_as_another(sqlite_api: Api) -> None:
    first, second = sqlite_api.anonymous().enroll(), sqlite_api.anonymous().enroll()
    mixed = Credentials(first.device_id, second.secret)
    response = sqlite_api.connection.get("/v1/consents", auth=DeviceSignature(mixed, lambda: sqlite_api.clock.now))
    assert response.status_code == 401
