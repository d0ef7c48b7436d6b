"""The device's commands that speak with the API: enroll, consent, withdraw and status."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from rich.text import Text

from fl_client.api_answers import Consent, ConsentText
from fl_client.api_client import ApiClient
from fl_client.api_connection import open_connection
from fl_client.certificate_renewal import bring_training_keys, keep_certificate, renew_certificate
from fl_client.membership import (
    Membership,
    forget_membership,
    is_enrolled,
    keys_folder,
    load_membership,
    save_membership,
)
from fl_client.training_keys import make_training_keys, save_training_keys
from models.command import console, print_json
from models.domain.consent import Purpose
from models.errors import ConsentRefusedError, HearsayError, UsageError
from models.privacy.secure_aggregation.identity import end_of_certificate

PURPOSE_NAMES = {Purpose.DETECTION: "탐지", Purpose.TRAINING: "학습", Purpose.STATISTICS: "통계"}


def enroll_device(url: str, home: Path, ca_file: Path | None, as_json: bool) -> None:
    """Enrol this device once, with keys of its own to train under. Nothing is consented to by it.

    Raises:
        UsageError: It is enrolled already, or the address is none.
        UnreachableError: The API doesn't answer.
    """
    if is_enrolled(home):
        raise UsageError(f"{home}: this device is enrolled already")
    keys = make_training_keys()
    save_training_keys(keys, keys_folder(home))
    with open_connection(url, ca_file) as connection:
        credentials = ApiClient(connection).enroll(keys)
    save_membership(home, Membership(url, ca_file, credentials))
    if as_json:
        print_json({"device_id": credentials.device_id})
    else:
        console.print("enrolled; nothing is consented to yet", markup=False)


def give_consent(home: Path, purpose: Purpose, language: str, guardian: str | None, agree: str | None) -> None:
    """Show the text of a purpose, ask, and record the answer.

    Args:
        home: The device's folder.
        purpose: One of three; each is asked for by itself.
        language: Of the text.
        guardian: The record of a guardian, of a child under 14.
        agree: Version of the text that was shown and agreed to elsewhere; without it the person is asked here.

    Raises:
        ConsentRefusedError: The person said no, or a child's guardian is missing.
        UsageError: The device isn't enrolled, or another version of the text is in force.
    """
    with _client(home) as client:
        text = next(found for found in client.consent_texts() if (found.purpose, found.language) == (purpose, language))
        _require_agreement(text, agree)
        consent = client.give_consent(text, guardian)
        if purpose is Purpose.TRAINING:  # a withdrawal destroyed the keys at the API
            bring_training_keys(home, client)
        else:
            _renew_in_time(home, client)
    print_json(_consent_as_json(consent))


def withdraw_consent(home: Path, purpose: Purpose) -> None:
    """Withdraw a consent, without a question, and print the receipt.

    Raises:
        UsageError: The device isn't enrolled.
    """
    with _client(home) as client:
        receipt = client.withdraw(purpose)
    if purpose is Purpose.TRAINING:  # what comes back later is not the same node
        save_training_keys(make_training_keys(), keys_folder(home))
        keep_certificate(home, None)
    print_json({**asdict(receipt), "withdrawn_at": receipt.withdrawn_at.isoformat()})


def leave_api(home: Path) -> None:
    """Destroy the device at the API with everything that is tied to it, and forget the enrolment here.

    Raises:
        UsageError: The device isn't enrolled.
    """
    with _client(home) as client:
        client.leave()
    forget_membership(home)
    console.print("the API destroyed what it held of this device", markup=False)
    console.print("its audit log keeps that a device of that random id was there", markup=False)


def show_status(home: Path) -> None:
    """Print what the API holds for this device, and until when its identity key is certified.

    Raises:
        UsageError: The device isn't enrolled.
    """
    with _client(home) as client:
        consents = client.consents()
        _renew_in_time(home, client)
    membership = load_membership(home)
    held = [_consent_as_json(consent) for consent in consents]
    print_json(
        {
            "api": membership.url,
            "device_id": membership.credentials.device_id,
            "consents": held,
            "certificate_ends": _end(membership.credentials.certificate),
        }
    )


@contextmanager
def _client(home: Path) -> Iterator[ApiClient]:
    membership = load_membership(home)
    with open_connection(membership.url, membership.ca_file) as connection:
        yield ApiClient(connection, membership.credentials)


def _renew_in_time(home: Path, client: ApiClient) -> None:
    """Renew the certificate where it is time; the command that came this way is done and doesn't depend on it."""
    try:
        if renew_certificate(home, client, time.time()):
            console.print("the identity key's certificate was renewed", markup=False)
    except HearsayError as error:
        console.print(f"the identity key's certificate couldn't be renewed: {error}", markup=False, soft_wrap=True)


def _end(certificate: bytes | None) -> str | None:
    if certificate is None:
        return None
    try:
        return datetime.fromtimestamp(end_of_certificate(certificate), UTC).isoformat()
    except (OverflowError, ValueError, OSError):  # the API named an end beyond all calendars
        return None


def _require_agreement(text: ConsentText, agree: str | None) -> None:
    if agree is not None:
        if agree != text.version:
            raise UsageError(f"the text in force is {text.version}: show it to the person, then give --agree again")
        return
    for line in (f"[{PURPOSE_NAMES[text.purpose]}] {text.aim}", text.items, text.retention, text.refusal):
        console.print(Text(line))
    try:
        answer = console.input("동의하십니까? / Do you agree? [y/N] ")
    except EOFError:
        raise ConsentRefusedError("nobody answered: nothing was recorded") from None
    if answer.strip().lower() not in ("y", "yes", "예", "네"):
        raise ConsentRefusedError("nothing was recorded")


def _consent_as_json(consent: Consent) -> dict[str, object]:
    recorded = consent.recorded_at
    return {**asdict(consent), "recorded_at": None if recorded is None else recorded.isoformat()}
