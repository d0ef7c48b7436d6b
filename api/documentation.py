"""The errors and the signature scheme as OpenAPI tells them."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from api.problems import MEDIA_TYPE, Problem, problem_document
from models.domain.signature import COVERED_COMPONENTS, LONGEST_SIGNATURE_SECONDS, NONCE_LENGTHS, SIGNATURE_TAG

VERSION = "1.0.0"

DESCRIPTION = f"""The only door of Hearsay: devices, consents, anonymous statistics and signed releases.

**Signed requests** carry an RFC 9421 signature with the algorithm `hmac-sha256`, the device's id as `keyid`, the tag
`{SIGNATURE_TAG}`, `created` and `expires` (at most {LONGEST_SIGNATURE_SECONDS} s apart) and a `nonce` of
{NONCE_LENGTHS[0]} to {NONCE_LENGTHS[1]} characters that is never used again. It covers
`{"`, `".join(COVERED_COMPONENTS)}`; the
digest (RFC 9530) is sent with empty bodies too.

**People** log in with a name and a password and send an access token. Nobody needs an account to be warned or to take
part.

**Errors** are problem documents (RFC 9457); `type` tells them apart.
"""

_SIGNATURE_SCHEME = "deviceSignature"

SIGNED_OPERATION: dict[str, Any] = {"security": [{_SIGNATURE_SCHEME: []}]}
"""Marks an operation as signed, as FastAPI's ``openapi_extra``."""

_TOKEN_SCHEME = "accessToken"  # noqa: S105 - a name

BEARER_OPERATION: dict[str, Any] = {"security": [{_TOKEN_SCHEME: []}]}
"""Marks an operation as one that needs a person's access token."""

SIGNED_AND_BEARER_OPERATION: dict[str, Any] = {"security": [{_SIGNATURE_SCHEME: [], _TOKEN_SCHEME: []}]}
"""Marks a signed operation that needs a person's access token beside the signature."""

Responses = dict[int | str, dict[str, Any]]


def problems(*kinds: Problem) -> Responses:
    """Return the documentation of an endpoint's errors, by status."""
    documented: Responses = {}
    for kind in (*kinds, Problem.MALFORMED, Problem.BODY_TOO_LARGE, Problem.TOO_SLOW):
        entry = documented.setdefault(
            kind.status,
            {
                "description": kind.title,
                "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}, "examples": {}}},
            },
        )
        entry["content"][MEDIA_TYPE]["examples"][kind.slug] = {"value": problem_document(kind, kind.title)}
    return documented


def describe(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI document of an application; made once."""
    if app.openapi_schema is None:
        document = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
        _document_media_type(document)
        components = document.setdefault("components", {})
        schemas = components.setdefault("schemas", {})
        schemas["Problem"] = _PROBLEM_SCHEMA
        for unused in ("HTTPValidationError", "ValidationError"):
            schemas.pop(unused, None)
        components["securitySchemes"] = {_SIGNATURE_SCHEME: _SCHEME, _TOKEN_SCHEME: _BEARER}
        app.openapi_schema = document
    return app.openapi_schema


def _document_media_type(document: dict[str, Any]) -> None:
    refused = problems(Problem.MEDIA_TYPE_UNKNOWN)[Problem.MEDIA_TYPE_UNKNOWN.status]
    for path in document["paths"].values():
        for operation in path.values():
            if "requestBody" in operation:
                operation["responses"][str(Problem.MEDIA_TYPE_UNKNOWN.status)] = refused


_SCHEME = {
    "type": "apiKey",
    "in": "header",
    "name": "Signature",
    "description": "RFC 9421, with `Signature-Input` and `Content-Digest` beside it.",
}

_BEARER = {
    "type": "http",
    "scheme": "bearer",
    "bearerFormat": "at+jwt",
    "description": "RFC 6750: the access token of `POST /v1/people/sessions`.",
}

_PROBLEM_SCHEMA = {
    "type": "object",
    "title": "Problem",
    "description": "RFC 9457",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "enum": [kind.uri for kind in Problem]},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
    },
}
