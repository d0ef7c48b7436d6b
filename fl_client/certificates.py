"""Whose TLS certificates a device trusts."""

from __future__ import annotations

import ssl
from pathlib import Path

from models.errors import BadInputError


def trusted_certificates(ca_file: Path | None) -> ssl.SSLContext:
    """Return what verifies a server: the certificates of a file, or the system's.

    Raises:
        BadInputError: The certificates can't be read.
    """
    try:
        return ssl.create_default_context(cafile=None if ca_file is None else str(ca_file))
    except (OSError, ssl.SSLError):
        raise BadInputError(f"{ca_file} holds no certificates that can be used") from None
