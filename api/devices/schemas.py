"""What is said over HTTP about devices."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, PlainValidator, WithJsonSchema
from pydantic.config import JsonDict

_LARGEST = 256
_NO_KEY = "ZXhhbXBsZSBvbmx5LCBub3QgYSBrZXk="
_KEYS: JsonDict = {
    "node_key": _NO_KEY,
    "identity_key": _NO_KEY,
    "node_proof": _NO_KEY,
    "identity_proof": _NO_KEY,
}


def _decode(value: object) -> bytes:
    if isinstance(value, bytes):  # an answer of ours; JSON has no bytes
        return value
    if not isinstance(value, str) or len(value) > _LARGEST:
        raise ValueError
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError from None


Base64 = Annotated[
    bytes,
    PlainValidator(_decode),
    PlainSerializer(lambda value: base64.b64encode(value).decode(), return_type=str),
    WithJsonSchema({"type": "string", "contentEncoding": "base64", "maxLength": _LARGEST}),
]


class TrainingKeysRequest(BaseModel):
    """The public keys that a device trains under, with the proof that they are its own.

    Both proofs sign `hearsay training keys/1 `, the 32 bytes of the identity key and the DER of the node key.
    """

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [_KEYS]})

    node_key: Base64 = Field(description="Flower's node key: the DER of an EC P-384 public key.")
    identity_key: Base64 = Field(description="For secure aggregation: an Ed25519 public key, 32 bytes.")
    node_proof: Base64 = Field(description="ECDSA with SHA-384, in DER.")
    identity_proof: Base64 = Field(description="Ed25519.")


class TrainingKeysAnswer(BaseModel):
    """The keys are stored; with the consent to training the device may take part."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"certificate": _NO_KEY}]})

    certificate: Base64 = Field(
        description="The enrolment authority's word for the identity key: when it ends, 8 bytes; signature, 64."
    )


class EnrolmentRequest(BaseModel):
    """What a device may bring along. Without keys it can do everything but train, and send them later."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"training_keys": _KEYS}]})

    training_keys: TrainingKeysRequest | None = None


class EnrolmentAnswer(BaseModel):
    """A new device's id and secret, shown this once."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "device_id": "5b0f2d0c9e6f4a57a3c1de8b7f204c19",
                    "secret": "bm90IGEgcmVhbCBzZWNyZXQsIG9ubHkgYW4gZXhhbXBsZSE=",
                    "certificate": None,
                }
            ]
        }
    )

    device_id: str = Field(description="Random id; goes into the signatures as `keyid`.")
    secret: Base64 = Field(description="32 bytes; the key of the signatures (hmac-sha256). Keep it on the device.")
    certificate: Base64 | None = Field(default=None, description="Of the identity key, where one was brought along.")


class SecretAnswer(BaseModel):
    """Another secret, shown this once."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"secret": "bm90IGEgcmVhbCBzZWNyZXQsIG9ubHkgYW4gZXhhbXBsZSE="}]}
    )

    secret: Base64 = Field(description="32 bytes. The old secret works until the first request signed with this one.")
