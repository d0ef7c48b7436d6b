"""Keeping the identity key's certificate good: a device brings its keys again in time, when it meets the API."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from fl_client.api_client import ApiClient
from fl_client.membership import Membership, keys_folder, load_membership, save_membership
from fl_client.training_keys import load_training_keys
from models.domain.consent import Purpose
from models.privacy.secure_aggregation.identity import LIFETIME_SECONDS, end_of_certificate

RENEWED_BEFORE_SECONDS = LIFETIME_SECONDS // 3
"""So long before its end a certificate is renewed: a phone may be without a network for weeks."""

_CLOCKS_DIFFER_SECONDS = 86_400
"""By so much a device's clock may be behind the API's."""


def needs_renewal(membership: Membership, now: float) -> bool:
    """Say whether a device has no certificate, or one that ends soon, has ended, or ends later than any given one."""
    certificate = membership.credentials.certificate
    if certificate is None:
        return True
    left = end_of_certificate(certificate) - now
    return not RENEWED_BEFORE_SECONDS <= left <= LIFETIME_SECONDS + _CLOCKS_DIFFER_SECONDS


def renew_certificate(home: Path, client: ApiClient, now: float) -> bool:
    """Bring the training keys again where their certificate needs it and the person consents to training.

    Without that consent nothing is sent: the API destroyed the keys, or nobody asked for them.

    Args:
        home: The device's folder.
        client: With the device's credentials.
        now: Seconds since the start of 1970, by the device's clock.

    Returns:
        Whether there is another certificate.
    """
    if not needs_renewal(load_membership(home), now):
        return False
    if not any(held.given for held in client.consents() if held.purpose is Purpose.TRAINING):
        return False
    bring_training_keys(home, client)
    return True


def bring_training_keys(home: Path, client: ApiClient) -> None:
    """Send the public keys that the device trains under, and keep the certificate that comes back."""
    keep_certificate(home, client.send_training_keys(load_training_keys(keys_folder(home))))


def keep_certificate(home: Path, certificate: bytes | None) -> None:
    """Keep a certificate in place of the one that is there; ``None`` forgets it with the key that it was of."""
    held = load_membership(home)
    save_membership(home, replace(held, credentials=replace(held.credentials, certificate=certificate)))
