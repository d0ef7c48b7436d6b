"""The test vectors of RFC 9421 (B.2.5) and RFC 9530 (B.1), letter by letter."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable

import pytest
from http_message_signatures import HTTPMessageVerifier, HTTPSignatureKeyResolver, algorithms
from http_message_signatures.exceptions import HTTPMessageSignaturesException

from api.auth.signatures import HeaderLines, SignedMessage, verify_signature
from api.problems import ProblemError

SECRET = base64.b64decode("uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8jsasjlTMtDQ==")
SIGNATURE = "pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8="
PARAMETERS = '("date" "@authority" "content-type");created=1618884473;keyid="test-shared-secret"'
BASE = f""""date": Tue, 20 Apr 2021 02:07:55 GMT
"@authority": example.com
"content-type": application/json
"@signature-params": {PARAMETERS}"""
BODY = b'{"hello": "world"}'
SHA_512 = "WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew=="
SHA_256 = "X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE="  # of the body without a line break, RFC 9421, 3.2
SHA_256_LINE = "RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg="  # with one, RFC 9530, B.1


class Resolver(HTTPSignatureKeyResolver):
    def resolve_public_key(self, key_id: str) -> bytes:
        return SECRET

    def resolve_private_key(self, key_id: str) -> bytes:
        return SECRET


def test_request(**changes: str) -> SignedMessage:
    headers = {
        "Host": "example.com",
        "Date": "Tue, 20 Apr 2021 02:07:55 GMT",
        "Content-Type": "application/json",
        "Content-Digest": f"sha-512=:{SHA_512}:",
        "Content-Length": "18",
        "Signature-Input": f"sig-b25={PARAMETERS}",
        "Signature": f"sig-b25=:{SIGNATURE}:",
    }
    lines = HeaderLines((name.encode(), value.encode()) for name, value in {**headers, **changes}.items())
    return SignedMessage("POST", "https://example.com/foo?param=Value&Pet=dog", lines, BODY)


test_request.__test__ = False  # type: ignore[attr-defined]


class Verifier(HTTPMessageVerifier):
    """The vector has no expiry and is years old; all else is checked as it is in the API."""

    def validate_created_and_expires(self, sig_input: object, max_age: object = None) -> None:
        return None


def verify(message: SignedMessage) -> None:
    Verifier(signature_algorithm=algorithms.HMAC_SHA256, key_resolver=Resolver()).verify(message, max_age=None)


def test_the_vectors_base_and_key_give_its_signature() -> None:
    assert base64.b64encode(hmac.digest(SECRET, BASE.encode(), "sha256")).decode() == SIGNATURE


def test_the_vectors_request_is_verified_through_our_adapter() -> None:
    verify(test_request())


@pytest.mark.parametrize(
    "change",
    [
        {"Date": "Tue, 20 Apr 2021 02:07:56 GMT"},
        {"Content-Type": "text/json"},
        {"Signature": f"sig-b25=:{'A' + SIGNATURE[1:]}:"},
        {"Signature-Input": f"sig-b25={PARAMETERS.replace('1618884473', '1618884474')}"},
    ],
)
def test_the_vectors_request_is_refused_once_anything_it_covers_is_changed(change: dict[str, str]) -> None:
    with pytest.raises(HTTPMessageSignaturesException):
        verify(test_request(**change))


def test_the_vectors_request_covers_too_little_for_us() -> None:
    with pytest.raises(ProblemError):
        verify_signature(test_request(), lambda _: SECRET, 1618884473)


@pytest.mark.parametrize(
    ("algorithm", "content", "digest"),
    [(hashlib.sha512, BODY, SHA_512), (hashlib.sha256, BODY, SHA_256), (hashlib.sha256, BODY + b"\n", SHA_256_LINE)],
)
def test_the_vectors_digests_are_those_of_their_bodies(
    algorithm: Callable[[bytes], hashlib._Hash], content: bytes, digest: str
) -> None:
    assert base64.b64encode(algorithm(content).digest()).decode() == digest
