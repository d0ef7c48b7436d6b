from __future__ import annotations

import base64

import pytest
from sqlalchemy import text

from api.consents.texts import TEXTS, Language
from api.devices.vault import open_secret, seal_secret
from api.keys import Keys
from fl_client.api_client import ApiClient
from fl_client.report_book import Report
from models.domain.consent import Purpose
from models.domain.window import open_window
from models.errors import RefusedError, SignatureRefusedError
from tests.api.conftest import Api


def given(device: ApiClient) -> dict[Purpose, bool]:
    return {consent.purpose: consent.given for consent in device.consents()}


def test_a_new_device_has_consented_to_nothing(api: Api) -> None:
    assert given(api.enrolled()) == dict.fromkeys(Purpose, False)


@pytest.mark.parametrize("purpose", list(Purpose))
def test_each_consent_stands_apart(api: Api, purpose: Purpose) -> None:
    device = api.enrolled(purpose)
    assert given(device) == {other: other is purpose for other in Purpose}
    device.withdraw(purpose)
    assert given(device) == dict.fromkeys(Purpose, False)


def test_the_ledger_keeps_every_step_and_repeats_none(api: Api) -> None:
    device = api.enrolled(Purpose.STATISTICS)
    shown = next(found for found in device.consent_texts() if found.purpose is Purpose.STATISTICS)
    first = device.give_consent(shown)
    assert device.give_consent(shown) == first
    receipt = device.withdraw(Purpose.STATISTICS)
    assert device.withdraw(Purpose.STATISTICS).receipt == receipt.receipt
    device.give_consent(shown)
    with api.engine.begin() as connection:
        rows = connection.execute(text("SELECT given FROM consents ORDER BY id")).scalars().all()
    assert [bool(row) for row in rows] == [True, False, True]


def test_a_text_that_is_not_in_force_cannot_be_consented_to(api: Api) -> None:
    device = api.enrolled()
    body = {"purpose": "statistics", "text_version": "2020-01", "language": "ko", "is_under_14": False}
    response = api.connection.post("/v1/consents", json=body, auth=device._signature)
    assert (response.status_code, response.json()["type"]) == (409, "/problems/consent-text-outdated")


def test_every_purpose_has_a_text_with_the_four_items_in_both_languages() -> None:
    assert {(found.purpose, found.language) for found in TEXTS} == {
        (purpose, language) for purpose in Purpose for language in Language
    }
    assert len(TEXTS) == len(Purpose) * len(Language)
    assert all(found.aim and found.items and found.retention and found.refusal for found in TEXTS)


def test_a_device_that_leaves_takes_everything_with_it_and_nothing_of_others(api: Api) -> None:
    leaving, staying = api.enrolled(*Purpose), api.enrolled(*Purpose)
    for device in (leaving, staying):
        device.send_report(Report(open_window(api.clock.now), "verdict", ("none",), 2.0))
    leaving.leave()
    assert {table: api.count(table) for table in ("devices", "reports", "consents")} == {
        "devices": 1,
        "reports": 1,
        "consents": 3,
    }
    with pytest.raises(SignatureRefusedError):
        leaving.consents()
    assert all(given(staying).values())


def test_a_devices_secret_is_stored_encrypted_only(api: Api) -> None:
    credentials = api.anonymous().enroll()
    with api.engine.begin() as connection:
        stored = connection.execute(text("SELECT sealed_secret FROM devices")).scalar_one()
    assert credentials.secret not in bytes(stored)
    assert base64.b64encode(credentials.secret) not in bytes(stored)
    assert repr(credentials.secret) not in repr(credentials)


def test_a_sealed_secret_opens_for_its_own_device_and_key_only(keys: Keys) -> None:
    sealed = seal_secret(keys.encryption, "a" * 32, b"secret")
    assert open_secret(keys.encryption, "a" * 32, sealed) == b"secret"
    assert open_secret(keys.encryption, "b" * 32, sealed) is None
    assert open_secret(keys.tokens, "a" * 32, sealed) is None


def test_purposes_that_do_not_exist_are_refused(sqlite_api: Api) -> None:
    device = sqlite_api.enrolled()
    assert sqlite_api.connection.delete("/v1/consents/everything", auth=device._signature).status_code == 422
    with pytest.raises(RefusedError):
        device._ask(object, "DELETE", "/v1/consents/everything", signed=True)
