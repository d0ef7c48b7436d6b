from __future__ import annotations

from datetime import timedelta

import pytest
from argon2 import PasswordHasher
from sqlalchemy import text

from api.auth.access_tokens import ACCESS_SECONDS
from api.people.sessions import IDLE_SECONDS, LONGEST_SECONDS
from api.people.throttle import ATTEMPTS_A_NAME, ATTEMPTS_AN_ADDRESS, PERIOD_SECONDS
from api.serving import configuration
from api.settings import Binding
from api.upkeep import run_upkeep
from tests.api.conftest import Api, TestClient
from tests.api.people import PASSWORD, LoggedIn, log_in, operator, problem, refresh, sign_up


def is_in(person: LoggedIn) -> bool:
    return person.request("GET", "/v1/people/self").status_code == 200


def attempt(api: Api, name: str, password: str) -> tuple[int, str]:
    return problem(api.connection.post("/v1/people/sessions", json={"name": name, "password": password}))


def test_who_signs_up_is_logged_in_and_sees_all_that_is_held(api: Api) -> None:
    person = sign_up(api)
    held = person.request("GET", "/v1/people/self").json()
    assert (held["name"], held["role"]) == ("quiet-river", "person")
    with api.engine.begin() as connection:
        stored = str(connection.execute(text("SELECT * FROM people")).all())
    assert PASSWORD not in stored
    assert "$argon2id$" in stored


def test_a_login_name_belongs_to_one_person(api: Api) -> None:
    sign_up(api)
    again = api.connection.post("/v1/people", json={"name": "quiet-river", "password": PASSWORD})
    assert problem(again) == (409, "name-taken")
    assert api.count("people") == 1


def test_an_unknown_name_and_a_wrong_password_get_the_same_answer_after_the_same_work(
    sqlite_api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    sign_up(sqlite_api, "known-name")
    verified: list[str] = []
    real = PasswordHasher.verify

    def count(hasher: PasswordHasher, stored: str, password: str) -> bool:
        verified.append(stored.rpartition("$")[0].rpartition("$")[0])  # algorithm, version and cost
        return real(hasher, stored, password)

    monkeypatch.setattr(PasswordHasher, "verify", count)
    answers = [
        sqlite_api.connection.post("/v1/people/sessions", json={"name": name, "password": "not the right password"})
        for name in ("known-name", "unknown-name")
    ]
    assert answers[0].json() == answers[1].json()
    assert answers[0].status_code == answers[1].status_code == 401
    assert {name: value for name, value in answers[0].headers.items() if name != "date"} == {
        name: value for name, value in answers[1].headers.items() if name != "date"
    }
    assert len(verified) == 2
    assert verified[0] == verified[1]


def test_the_password_of_nobody_opens_nothing(sqlite_api: Api) -> None:
    assert attempt(sqlite_api, "unknown-name", "the password of nobody") == (401, "login-refused")


def test_a_refresh_token_is_good_once_and_the_second_use_ends_the_session_for_both(api: Api) -> None:
    person = sign_up(api)
    second = refresh(api, person.refresh).json()
    assert refresh(api, second["refresh_token"]).status_code == 200
    # The first token comes back: somebody has a copy.
    assert problem(refresh(api, person.refresh)) == (401, "session-over")
    assert api.count("sessions") == 0
    assert not is_in(person)


def test_the_reuse_of_one_session_leaves_the_others_alone(api: Api) -> None:
    person = sign_up(api)
    other = person.again()
    refresh(api, person.refresh)
    refresh(api, person.refresh)
    assert is_in(other)
    assert refresh(api, other.refresh).status_code == 200


def test_refresh_tokens_are_stored_hashed_only(api: Api) -> None:
    person = sign_up(api)
    with api.engine.begin() as connection:
        stored = str(connection.execute(text("SELECT * FROM sessions")).all())
    assert person.refresh.partition(".")[2] not in stored


@pytest.mark.parametrize(("seconds", "code"), [(IDLE_SECONDS - 1, 200), (IDLE_SECONDS, 401)])
def test_a_session_that_is_not_used_ends(sqlite_api: Api, seconds: int, code: int) -> None:
    person = sign_up(sqlite_api, f"idle-{code}")
    sqlite_api.clock.now += timedelta(seconds=seconds)
    assert refresh(sqlite_api, person.refresh).status_code == code


def test_a_session_ends_one_day_however_often_it_is_used(sqlite_api: Api) -> None:
    token = sign_up(sqlite_api, "long-lived").refresh
    used = 0
    while (answer := refresh(sqlite_api, token)).status_code == 200:
        token = answer.json()["refresh_token"]
        sqlite_api.clock.now += timedelta(days=29)
        used += 29 * 86_400
    assert used - 29 * 86_400 < LONGEST_SECONDS <= used


def test_an_access_token_ends_after_ten_minutes_and_with_its_session(api: Api) -> None:
    person = sign_up(api)
    api.clock.now += timedelta(seconds=ACCESS_SECONDS - 1)
    assert is_in(person)
    api.clock.now += timedelta(seconds=1)
    assert not is_in(person)
    person = person.again()
    assert person.request("DELETE", "/v1/people/sessions/current").status_code == 204
    assert not is_in(person)
    assert problem(refresh(api, person.refresh)) == (401, "session-over")


def test_people_see_their_sessions_and_can_end_each_and_all(api: Api) -> None:
    person, stranger = sign_up(api), sign_up(api, "stranger")
    other, third = person.again(), person.again()
    found = person.request("GET", "/v1/people/sessions").json()
    assert [session["current"] for session in found].count(True) == 1
    assert len(found) == 3
    elsewhere = next(
        session["id"] for session in other.request("GET", "/v1/people/sessions").json() if session["current"]
    )
    assert stranger.request("DELETE", f"/v1/people/sessions/{elsewhere}").status_code == 404
    assert is_in(other)
    assert person.request("DELETE", f"/v1/people/sessions/{elsewhere}").status_code == 204
    assert [is_in(session) for session in (person, other, third)] == [True, False, True]
    assert person.request("DELETE", "/v1/people/sessions").status_code == 204
    assert [is_in(session) for session in (person, third, stranger)] == [False, False, True]


def test_changing_the_password_needs_it_and_ends_all_sessions(api: Api) -> None:
    person = sign_up(api)
    elsewhere = person.again()
    new = "four quite different words"
    wrong = {"current_password": "not the right password", "new_password": new}
    assert problem(person.request("PUT", "/v1/people/self/password", json=wrong)) == (403, "password-wrong")
    assert "www-authenticate" not in person.request("PUT", "/v1/people/self/password", json=wrong).headers
    short = {"current_password": PASSWORD, "new_password": "short"}
    assert problem(person.request("PUT", "/v1/people/self/password", json=short)) == (422, "password-refused")
    assert is_in(elsewhere)
    right = {"current_password": PASSWORD, "new_password": new}
    tokens = person.request("PUT", "/v1/people/self/password", json=right)
    assert tokens.status_code == 200
    assert not is_in(elsewhere)
    assert not is_in(person)
    person.access = tokens.json()["access_token"]
    assert is_in(person)
    assert attempt(api, "quiet-river", PASSWORD) == (401, "login-refused")
    log_in(api, "quiet-river", new)


def test_an_account_that_is_removed_takes_everything_with_it(api: Api) -> None:
    person, stranger = sign_up(api), sign_up(api, "stranger")
    assert person.request("DELETE", "/v1/people/self").status_code == 204
    assert (api.count("people"), api.count("sessions")) == (1, 1)
    assert not is_in(person)
    assert is_in(stranger)
    assert attempt(api, "quiet-river", PASSWORD) == (401, "login-refused")


def test_too_many_logins_under_one_name_are_refused_for_a_while_whether_it_exists_or_not(api: Api) -> None:
    sign_up(api)
    for name in ("quiet-river", "nobody-here"):
        answers = [attempt(api, name, "not the right password") for _ in range(ATTEMPTS_A_NAME)]
        assert set(answers) == {(401, "login-refused")}
        refused = api.connection.post("/v1/people/sessions", json={"name": name, "password": PASSWORD})
        assert problem(refused) == (429, "too-many-attempts")
        assert 0 < int(refused.headers["retry-after"]) == refused.json()["retry_after"] <= PERIOD_SECONDS
    api.clock.now += timedelta(seconds=PERIOD_SECONDS)
    log_in(api, "quiet-river")


def test_a_login_that_succeeds_clears_the_count_of_its_name(api: Api) -> None:
    sign_up(api)
    for _ in range(2):
        for _ in range(ATTEMPTS_A_NAME - 1):
            attempt(api, "quiet-river", "not the right password")
        log_in(api, "quiet-river")


def test_one_address_can_not_try_many_names(api: Api) -> None:
    answers = [attempt(api, f"name-{number}", "not the right password") for number in range(ATTEMPTS_AN_ADDRESS + 1)]
    assert set(answers[:-1]) == {(401, "login-refused")}
    assert answers[-1] == (429, "too-many-attempts")
    wanted = {"name": "new-name", "password": PASSWORD}
    assert problem(api.connection.post("/v1/people", json=wanted)) == (429, "too-many-attempts")


def test_neither_names_nor_addresses_are_stored_where_attempts_are_counted_and_counts_go(api: Api) -> None:
    attempt(api, "secret-name", "not the right password")
    with api.engine.begin() as connection:
        stored = str(connection.execute(text("SELECT * FROM throttle_counts")).all())
    assert "secret-name" not in stored
    assert "testclient" not in stored
    run_upkeep(api.app.state.context)
    assert api.count("throttle_counts") == 2
    api.clock.now += timedelta(seconds=PERIOD_SECONDS)
    run_upkeep(api.app.state.context)
    assert (api.count("throttle_counts"), api.count("throttle_periods")) == (0, 0)


@pytest.mark.parametrize(("proxy", "addresses"), [("10.0.0.1", 2), ("10.0.0.2", 1), (None, 1)])
def test_a_forwarded_address_is_believed_of_the_named_proxy_only(api: Api, proxy: str | None, addresses: int) -> None:
    config = configuration(api.app, Binding("127.0.0.1", 0, None, proxy))
    config.load()
    behind = TestClient(config.loaded_app, client=("10.0.0.1", 50_000))
    for address in ("192.0.2.1", "192.0.2.2"):
        given = {"name": "unknown-name", "password": "not the right password"}
        behind.post("/v1/people/sessions", json=given, headers={"X-Forwarded-For": address})
    assert api.count("throttle_counts") == addresses + 1  # and the name


def test_sessions_are_forgotten_when_their_time_is_over(api: Api) -> None:
    sign_up(api)
    api.clock.now += timedelta(seconds=IDLE_SECONDS)
    run_upkeep(api.app.state.context)
    assert api.count("sessions") == 0


def test_an_operator_is_a_person_with_a_role(api: Api) -> None:
    assert operator(api).request("GET", "/v1/people/self").json()["role"] == "operator"


@pytest.mark.parametrize(
    "name", ["ab", "Upper", "has space", "-dash", "ㄱㄴㄷ", "x" * 33, "nul\x00", "' OR 1=1 --", ""]
)
def test_names_that_could_be_mistaken_are_refused(sqlite_api: Api, name: str) -> None:
    for path in ("/v1/people", "/v1/people/sessions"):
        answer = sqlite_api.connection.post(path, json={"name": name, "password": PASSWORD})
        assert problem(answer) == (422, "invalid-request")


def test_nothing_but_a_name_and_a_password_is_taken(sqlite_api: Api) -> None:
    wanted = {"name": "quiet-sea", "password": PASSWORD, "role": "operator"}
    assert sqlite_api.connection.post("/v1/people", json=wanted).status_code == 422
    assert sqlite_api.connection.post(
        "/v1/people",
        content=b'{"name": "quiet-sea", "password": "\\ud800aaaaaaaaaaaa"}',
        headers={"Content-Type": "application/json"},
    ).status_code in (400, 422)


@pytest.mark.parametrize(
    "name", ["01012345678", "010-1234-5678", "1234567", "0212345678", "kim.821012345678", "02.123.4567"]
)
def test_a_name_that_looks_like_a_telephone_number_is_refused(sqlite_api: Api, name: str) -> None:
    answer = sqlite_api.connection.post("/v1/people", json={"name": name, "password": PASSWORD})
    assert problem(answer) == (422, "invalid-request")
    assert name not in answer.text


@pytest.mark.parametrize("name", ["river-2026", "123456", "r2d2-c3po-1977", "b-20261122"])
def test_a_name_with_some_digits_is_taken(sqlite_api: Api, name: str) -> None:
    sign_up(sqlite_api, name)
