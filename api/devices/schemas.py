"""What is said over HTTP about devices."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class EnrolmentAnswer(BaseModel):
    """A new device's id and secret, shown this once."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "device_id": "5b0f2d0c9e6f4a57a3c1de8b7f204c19",
                    "secret": "bm90IGEgcmVhbCBzZWNyZXQsIG9ubHkgYW4gZXhhbXBsZSE=",
                }
            ]
        }
    )

    device_id: str = Field(description="Random id; goes into the signatures as `keyid`.")
    secret: str = Field(
        description="Base64 of 32 bytes; the key of the signatures (hmac-sha256). Keep it on the device."
    )
