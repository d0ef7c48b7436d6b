"""Identities of simulated devices: an enrolment authority and certificates that live as long as the process."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from fl_client.secure_training import Credentials
from models.privacy.secure_aggregation.identity import Identity, certify_identity


class SimulatedEnrolment:
    """Certifies each simulated device when it is first asked for its credentials."""

    def __init__(self) -> None:
        self._key = Ed25519PrivateKey.generate()
        self.authority = self._key.public_key().public_bytes_raw()
        self._credentials: dict[int, Credentials] = {}

    def credentials_of(self, device: int) -> Credentials:
        """Return a device's credentials, always the same."""
        if device not in self._credentials:
            key = Ed25519PrivateKey.generate()
            certificate = certify_identity(self._key, key.public_key().public_bytes_raw())
            self._credentials[device] = Credentials(Identity(key, certificate), self.authority)
        return self._credentials[device]
