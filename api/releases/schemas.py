"""What is said over HTTP about releases."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from api.releases.repository import PublishedRelease

_EXAMPLE: JsonDict = {
    "version": 3,
    "rollout_percent": 20,
    "notes": "after round 60",
    "files": [{"name": "detector.int8.ort", "size": 1650112, "sha256": "9f86d081884c7d65" * 4}],
}


class FileAnswer(BaseModel):
    """A file of a release."""

    name: str
    size: int = Field(description="Bytes.")
    sha256: str


class ReleaseAnswer(BaseModel):
    """A release. For people: devices verify the signed metadata instead."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    version: int
    rollout_percent: int = Field(description="Share of devices that are offered it.")
    notes: str
    files: list[FileAnswer]


class ReleasesAnswer(BaseModel):
    """All releases, and what else an operator must know before ordering anything."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"releases": [_EXAMPLE], "paused": False, "pending": []}]}
    )

    releases: list[ReleaseAnswer] = Field(description="The newest first.")
    paused: bool = Field(description="Whether rounds are paused.")
    pending: list[str] = Field(description="Names of operators' orders that aren't carried out yet.")


def release_answer(release: PublishedRelease) -> ReleaseAnswer:
    """Return a release as it is said over HTTP."""
    files = [FileAnswer(name=name, size=size, sha256=sha256) for name, size, sha256 in release.files]
    return ReleaseAnswer(
        version=release.version, rollout_percent=release.rollout_percent, notes=release.notes, files=files
    )


def releases_answer(releases: Iterable[PublishedRelease], *, paused: bool, pending: Iterable[str]) -> ReleasesAnswer:
    """Return all releases as they are said over HTTP."""
    newest_first = sorted(releases, key=lambda release: -release.version)
    return ReleasesAnswer(releases=[release_answer(each) for each in newest_first], paused=paused, pending=[*pending])
