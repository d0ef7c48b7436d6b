"""Identities of simulated devices: an enrolment authority and certificates that live as long as the run."""

from __future__ import annotations

import time

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from fl_client.secure_training import Credentials
from models.privacy.secure_aggregation.identity import Identity, certify_identity


class SimulatedEnrolment:
    """Certifies each simulated device when it is first asked for its credentials.

    It may be sent to other processes: each certifies the devices that it holds, under the same authority.
    """

    def __init__(self) -> None:
        self._use(Ed25519PrivateKey.generate())

    def __getstate__(self) -> bytes:
        """Return the authority's key; devices' own keys stay in the process that made them."""
        return self._key.private_bytes_raw()

    def __setstate__(self, key: bytes) -> None:
        self._use(Ed25519PrivateKey.from_private_bytes(key))

    def _use(self, key: Ed25519PrivateKey) -> None:
        self._key, self.authority = key, key.public_key().public_bytes_raw()
        self._credentials: dict[int, Credentials] = {}

    def credentials_of(self, device: int) -> Credentials:
        """Return a device's credentials, always the same."""
        if device not in self._credentials:
            key = Ed25519PrivateKey.generate()
            certificate = certify_identity(self._key, key.public_key().public_bytes_raw(), time.time())
            self._credentials[device] = Credentials(Identity(key, certificate), self.authority)
        return self._credentials[device]
