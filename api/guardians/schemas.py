"""What is said over HTTP about guardians."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from api.consents.schemas import GuardianRecordId
from models.domain.consent import Purpose


class GuardianRequest(BaseModel):
    """A guardian consented to one purpose, and the operator verified that they are one."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"purpose": "statistics", "reference": "2026/0417"}]}
    )

    purpose: Purpose
    reference: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]{0,63}$",
        max_length=64,
        description="Where the operator keeps how the guardian was verified: a file number, never a name.",
    )


class GuardianAnswer(BaseModel):
    """What the guardian is given."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"guardian_record": "7c9e6679f3d04f2b8a5d1c0b9e8f7a6d", "purpose": "statistics"}]
        }
    )

    guardian_record: GuardianRecordId = Field(
        description="Goes into the child's consent; good for one device, and for this purpose only."
    )
    purpose: Purpose
