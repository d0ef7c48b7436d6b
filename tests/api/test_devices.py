from __future__ import annotations

import threading

import pytest

from api.consents.service import withdraw_consent
from api.database import transaction
from api.devices.repository import lock_device
from fl_client.api_client import ApiClient
from fl_client.person_client import PersonClient
from fl_client.report_book import Report
from fl_client.request_signing import Credentials
from fl_client.training_keys import make_training_keys
from models.domain.consent import Purpose
from models.domain.window import open_window
from models.errors import ConsentRefusedError, RefusedError, SignatureRefusedError
from tests.api.conftest import Api
from tests.api.people import PASSWORD


def device_of(api: Api, credentials: Credentials) -> ApiClient:
    return ApiClient(api.connection, credentials, now=lambda: api.clock.now)


def person(api: Api, name: str = "quiet-river") -> PersonClient:
    client = PersonClient(api.connection)
    client.sign_up(name, PASSWORD)
    return client


def test_the_old_secret_works_until_the_new_one_is_used_and_never_again(api: Api) -> None:
    old = api.anonymous().enroll()
    new = device_of(api, old).rotate_secret(old)
    assert new.secret != old.secret
    assert len(device_of(api, old).consents()) == 3
    assert len(device_of(api, new).consents()) == 3
    with pytest.raises(SignatureRefusedError):
        device_of(api, old).consents()
    assert len(device_of(api, new).consents()) == 3
    assert api.count("next_secrets") == 0


def test_of_two_new_secrets_the_last_one_counts(api: Api) -> None:
    old = api.anonymous().enroll()
    first = device_of(api, old).rotate_secret(old)
    second = device_of(api, old).rotate_secret(old)
    with pytest.raises(SignatureRefusedError):
        device_of(api, first).consents()
    device_of(api, second).consents()
    with pytest.raises(SignatureRefusedError):
        device_of(api, old).consents()


def test_a_new_secret_is_for_its_own_device(api: Api) -> None:
    first, second = api.anonymous().enroll(), api.anonymous().enroll()
    new = device_of(api, first).rotate_secret(first)
    with pytest.raises(SignatureRefusedError):
        device_of(api, Credentials(second.device_id, new.secret)).consents()


def test_a_device_is_linked_by_its_own_signature_and_a_persons_token(api: Api) -> None:
    owner, stranger = person(api), person(api, "stranger")
    credentials = api.anonymous().enroll()
    device = device_of(api, credentials)
    with pytest.raises(RefusedError):
        device.link_person("no token")
    assert owner.devices() == ()
    device.link_person(owner.access_token)
    assert owner.devices() == (credentials.device_id,)
    assert stranger.devices() == ()
    device.link_person(stranger.access_token)
    assert (owner.devices(), stranger.devices()) == ((), (credentials.device_id,))
    device.unlink_person()
    assert stranger.devices() == ()


def test_a_person_destroys_a_lost_phone_but_nobody_elses(api: Api) -> None:
    owner, stranger = person(api), person(api, "stranger")
    credentials = api.anonymous().enroll(make_training_keys())
    device = device_of(api, credentials)
    device.link_person(owner.access_token)
    with pytest.raises(RefusedError, match="no such device"):
        stranger.revoke_device(credentials.device_id)
    owner.revoke_device(credentials.device_id)
    with pytest.raises(SignatureRefusedError):
        device.consents()
    assert (api.count("devices"), api.count("training_keys"), api.count("device_links")) == (0, 0, 0)


def test_removing_an_account_destroys_the_devices_that_were_linked_and_no_others(api: Api) -> None:
    owner = person(api)
    linked, free = api.enrolled(*Purpose), api.enrolled(*Purpose)
    linked.send_report(Report(open_window(api.clock.now), "verdict", ("none",), 2.0))
    linked.link_person(owner.access_token)
    owner.remove_account()
    assert {table: api.count(table) for table in ("people", "devices", "reports", "consents", "device_links")} == {
        "people": 0,
        "devices": 1,
        "reports": 0,
        "consents": 3,
        "device_links": 0,
    }
    assert len(free.consents()) == 3


def test_a_report_that_meets_a_withdrawal_is_refused_or_destroyed(api: Api) -> None:
    credentials = api.anonymous().enroll()
    device = device_of(api, credentials)
    text = next(found for found in device.consent_texts() if found.purpose is Purpose.STATISTICS)
    device.give_consent(text)
    refused: list[bool] = []

    def report() -> None:
        try:
            device.send_report(Report(open_window(api.clock.now), "verdict", ("none",), 2.0))
        except ConsentRefusedError:
            refused.append(True)

    sender = threading.Thread(target=report)
    with transaction(api.engine) as connection:
        lock_device(connection, credentials.device_id)
        sender.start()
        withdraw_consent(connection, credentials.device_id, Purpose.STATISTICS, api.clock.now)
        sender.join(0.5)  # a report that didn't wait for the withdrawal would be stored by now
    sender.join()
    assert refused == [True]
    assert api.count("reports") == 0
