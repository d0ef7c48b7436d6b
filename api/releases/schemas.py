"""What is said over HTTP about releases."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class FileAnswer(BaseModel):
    """A file of a release."""

    name: str
    size: int = Field(description="Bytes.")
    sha256: str


class ReleaseAnswer(BaseModel):
    """The newest release. For people: devices verify the signed metadata instead."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "version": 3,
                    "rollout_percent": 20,
                    "notes": "after round 60",
                    "files": [{"name": "detector.int8.ort", "size": 1650112, "sha256": "9f86d081884c7d65" * 4}],
                }
            ]
        }
    )

    version: int
    rollout_percent: int = Field(description="Share of devices that are offered it.")
    notes: str
    files: list[FileAnswer]
