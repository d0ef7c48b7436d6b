"""Releases' profiles in the registry."""

from __future__ import annotations

import hashlib
from pathlib import Path

from api.releases.repository import PublishedRelease, RegistryUnreadableError
from models.domain.profile import PROFILE_FILE, ReleaseProfile, read_profile
from models.errors import BadInputError


def read_profile_of(registry: Path, release: PublishedRelease) -> ReleaseProfile | None:
    """Return a release's profile, ``None`` where it has none.

    Raises:
        RegistryUnreadableError: It is damaged, or isn't the one that the metadata lists.
    """
    listed = next((sha256 for name, _, sha256 in release.files if name == PROFILE_FILE), None)
    if listed is None:
        return None
    try:
        path = registry / "targets" / "releases" / str(release.version) / f"{listed}.{PROFILE_FILE}"
        content = path.read_bytes()
        if hashlib.sha256(content).hexdigest() != listed:
            raise RegistryUnreadableError
        return read_profile(content)
    except (OSError, BadInputError) as error:
        raise RegistryUnreadableError from error
