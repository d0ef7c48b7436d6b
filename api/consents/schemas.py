"""What is said over HTTP about consents."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from api.consents.texts import Language
from models.domain.consent import Purpose

Version = Annotated[str, Field(pattern=r"^[0-9]{4}-[0-9]{2}$", examples=["2026-12"])]

GuardianRecordId = Annotated[
    str, Field(pattern=r"^[0-9a-f]{32}$", max_length=32, examples=["7c9e6679f3d04f2b8a5d1c0b9e8f7a6d"])
]


class TextAnswer(BaseModel):
    """A consent text, with the four items of PIPA 15(2)."""

    model_config = ConfigDict(from_attributes=True)

    purpose: Purpose
    version: str
    language: Language
    aim: str = Field(description="What the data is used for.")
    items: str = Field(description="Which data.")
    retention: str = Field(description="How long it is kept.")
    refusal: str = Field(description="The right to refuse, and what follows from it.")


class ConsentRequest(BaseModel):
    """A person's consent to one purpose, under a text that they were shown."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"purpose": "statistics", "text_version": "2026-12", "language": "ko", "is_under_14": False},
                {
                    "purpose": "statistics",
                    "text_version": "2026-12",
                    "language": "ko",
                    "is_under_14": True,
                    "guardian_record": "7c9e6679f3d04f2b8a5d1c0b9e8f7a6d",
                },
            ]
        },
    )

    purpose: Purpose
    text_version: Version
    language: Language
    is_under_14: bool = Field(strict=True, description="As the person says; no date of birth is asked for.")
    guardian_record: GuardianRecordId | None = Field(
        default=None, description="Needed under 14: what the operator gave a guardian who was verified."
    )


class ConsentAnswer(BaseModel):
    """What holds for one purpose."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "purpose": "statistics",
                    "given": True,
                    "text_version": "2026-12",
                    "language": "ko",
                    "recorded_at": "2026-12-21T03:00:00Z",
                    "receipt": "0f8fad5bd9cb469fa16570867728950e",
                }
            ]
        }
    )

    purpose: Purpose
    given: bool
    text_version: str | None = Field(default=None, description="Of the text that was consented to.")
    language: Language | None = None
    recorded_at: datetime | None = Field(default=None, description="Absent where nothing was ever said.")
    receipt: str | None = None


class WithdrawalAnswer(BaseModel):
    """The receipt of a withdrawal."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "purpose": "statistics",
                    "withdrawn_at": "2026-12-21T03:00:00Z",
                    "receipt": "7c9e6679f3d04f2b8a5d1c0b9e8f7a6d",
                    "reports_destroyed": 1,
                    "keys_destroyed": False,
                    "node_removal_ordered": False,
                }
            ]
        }
    )

    purpose: Purpose
    withdrawn_at: datetime
    receipt: str
    reports_destroyed: int = Field(
        description="Reports on windows that were still open; released figures hold no link."
    )
    keys_destroyed: bool = Field(description="The keys that the device trained under are deleted.")
    node_removal_ordered: bool = Field(description="The server that trains was told to ask this device no more.")
