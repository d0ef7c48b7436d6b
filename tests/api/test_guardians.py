from __future__ import annotations

import pytest

from fl_client.api_client import ApiClient
from fl_client.api_connection import GuardianMissingError
from models.domain.consent import Purpose
from tests.api.conftest import Api
from tests.api.people import LoggedIn, operator, problem, sign_up


def recorded(guard: LoggedIn, purpose: Purpose = Purpose.STATISTICS) -> str:
    answer = guard.request("POST", "/v1/guardians", json={"purpose": purpose.value, "reference": "2026/0417"})
    assert answer.status_code == 201
    return str(answer.json()["guardian_record"])


def consent(device: ApiClient, purpose: Purpose, record: str | None) -> bool:
    text = next(found for found in device.consent_texts() if found.purpose is purpose)
    return device.give_consent(text, record).given


def test_a_child_is_refused_without_a_guardian(api: Api) -> None:
    device = api.enrolled()
    body = {"purpose": "statistics", "text_version": "2026-12", "language": "ko", "is_under_14": True}
    refused = api.connection.post("/v1/consents", json=body, auth=device._signature)
    assert problem(refused) == (403, "guardian-missing")
    with pytest.raises(GuardianMissingError):
        consent(device, Purpose.STATISTICS, "0" * 32)
    assert api.count("consents") == 0


def test_nobody_consents_without_saying_whether_they_are_under_14(sqlite_api: Api) -> None:
    device = sqlite_api.enrolled()
    body = {"purpose": "statistics", "text_version": "2026-12", "language": "ko"}
    assert sqlite_api.connection.post("/v1/consents", json=body, auth=device._signature).status_code == 422


def test_a_guardians_record_is_good_for_one_purpose_and_one_device(api: Api) -> None:
    record = recorded(operator(api))
    child, other = api.enrolled(), api.enrolled()
    with pytest.raises(GuardianMissingError):
        consent(child, Purpose.TRAINING, record)
    assert consent(child, Purpose.STATISTICS, record)
    assert consent(child, Purpose.STATISTICS, record)
    with pytest.raises(GuardianMissingError):
        consent(other, Purpose.STATISTICS, record)
    assert api.count("consents") == 1


def test_a_guardian_who_withdraws_takes_the_childs_consent_back(api: Api) -> None:
    guard = operator(api)
    record = recorded(guard)
    child = api.enrolled()
    consent(child, Purpose.STATISTICS, record)
    assert guard.request("DELETE", f"/v1/guardians/{record}").status_code == 204
    assert not any(held.given for held in child.consents())
    assert api.count("guardian_records") == 0
    assert guard.request("DELETE", f"/v1/guardians/{record}").status_code == 404


def test_a_record_goes_with_the_childs_device(api: Api) -> None:
    child = api.enrolled()
    consent(child, Purpose.STATISTICS, recorded(operator(api)))
    child.leave()
    assert api.count("guardian_records") == 0


def test_only_operators_record_guardians(api: Api) -> None:
    body = {"purpose": "statistics", "reference": "2026/0417"}
    assert problem(api.connection.post("/v1/guardians", json=body)) == (401, "token-refused")
    assert problem(sign_up(api).request("POST", "/v1/guardians", json=body)) == (403, "operators-only")
    assert problem(sign_up(api, "second").request("DELETE", f"/v1/guardians/{'0' * 32}")) == (403, "operators-only")
    assert api.count("guardian_records") == 0


@pytest.mark.parametrize("reference", ["", "홍길동", "a name with spaces", "x" * 65, "-x"])
def test_a_reference_has_no_room_for_a_name(sqlite_api: Api, reference: str) -> None:
    from secrets import token_hex

    guard = operator(sqlite_api, f"op-{token_hex(4)}")
    answer = guard.request("POST", "/v1/guardians", json={"purpose": "statistics", "reference": reference})
    assert answer.status_code == 422
