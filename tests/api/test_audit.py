"""The audit log: who did what, in a chain that shows whatever is taken out of it or changed in it."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, event, text
from sqlalchemy.exc import OperationalError

from api.__main__ import main
from api.audit.chain import START, Anchor, AuditRow, Deed, follow, verify_chain
from api.audit.repository import all_rows
from api.audit.service import append_deed
from api.database import transaction
from models.domain.consent import Purpose
from models.errors import AuditBrokenError, BadInputError
from tests.api.conftest import Api
from tests.api.people import PASSWORD, LoggedIn, log_in, operator, problem, refresh, sign_up

ids = st.text("0123456789abcdef", max_size=32)
deeds = st.builds(Deed, st.integers(0, 2**40), st.text(max_size=20), st.text(max_size=8), ids, ids)


def chain_of(made: list[Deed]) -> list[AuditRow]:
    rows: list[AuditRow] = []
    for deed in made:
        rows.append(follow(Anchor(rows[-1].number, rows[-1].hash) if rows else START, deed))
    return rows


def end_of(rows: list[AuditRow]) -> Anchor:
    return Anchor(rows[-1].number, rows[-1].hash)


@given(st.lists(deeds, max_size=8), st.data())
def test_an_untouched_chain_is_whole_and_every_end_it_had_stays_in_it(made: list[Deed], data: st.DataObject) -> None:
    rows = chain_of(made)
    kept = data.draw(st.lists(st.sampled_from([START, *[Anchor(row.number, row.hash) for row in rows]])))
    assert verify_chain(rows, kept) == (end_of(rows) if rows else START)


@given(st.lists(deeds, min_size=2, max_size=8), st.data())
def test_whatever_is_changed_in_a_row_shows_at_that_row(made: list[Deed], data: st.DataObject) -> None:
    rows = chain_of(made)
    at = data.draw(st.integers(0, len(rows) - 1))
    other = data.draw(deeds.filter(lambda deed: deed != rows[at].deed))
    rows[at] = replace(rows[at], deed=other)
    with pytest.raises(AuditBrokenError, match=f"row {at + 1} was changed"):
        verify_chain(rows)


@given(st.lists(deeds, min_size=2, max_size=8), st.data())
def test_a_row_taken_out_before_the_end_shows(made: list[Deed], data: st.DataObject) -> None:
    rows = chain_of(made)
    del rows[data.draw(st.integers(0, len(rows) - 2))]
    with pytest.raises(AuditBrokenError):
        verify_chain(rows)


@given(st.lists(deeds, min_size=2, max_size=8, unique=True), st.data())
def test_a_chain_written_anew_or_cut_short_shows_by_an_anchor_and_by_nothing_else(
    made: list[Deed], data: st.DataObject
) -> None:
    kept = [end_of(chain_of(made))]
    cut = chain_of(made[:-1])
    verify_chain(cut)
    with pytest.raises(AuditBrokenError, match=f"row {len(made)} is missing"):
        verify_chain(cut, kept)
    anew = chain_of(made[1:] + made[:1])
    verify_chain(anew)
    with pytest.raises(AuditBrokenError, match="written anew"):
        verify_chain(anew, kept)


def test_a_row_renumbered_with_its_hash_recalculated_shows_in_the_next_one() -> None:
    rows = chain_of([Deed(0, "a", "nobody", ""), Deed(0, "b", "nobody", ""), Deed(0, "c", "nobody", "")])
    forged = follow(Anchor(1, rows[0].hash), replace(rows[1].deed, actor_id="f" * 32))
    with pytest.raises(AuditBrokenError, match="row 3 was changed"):
        verify_chain([rows[0], forged, rows[2]])


@pytest.mark.parametrize(
    "spelled", ["", "1", "1:", f"x:{'0' * 64}", f"1:{'0' * 63}", f"1:{'G' * 64}", f"-1:{'0' * 64}"]
)
def test_an_anchor_is_a_number_and_a_hash(spelled: str) -> None:
    with pytest.raises(BadInputError):
        Anchor.parse(spelled)
    assert Anchor.parse(str(Anchor(7, "ab" * 32))) == Anchor(7, "ab" * 32)


def rows_of(api: Api) -> list[AuditRow]:
    with transaction(api.engine, write=False) as connection:
        return list(all_rows(connection))


def live(api: Api) -> None:
    """Do something of everything that is recorded."""
    device = api.enrolled(Purpose.TRAINING)
    api.connection.post("/v1/devices/self/secret", auth=device._signature)
    device.withdraw(Purpose.TRAINING)
    device.leave()
    person = sign_up(api)
    refresh(api, person.refresh)
    refresh(api, person.refresh)
    person = log_in(api, person.name)
    new = PASSWORD[::-1]
    person.request("PUT", "/v1/people/self/password", json={"current_password": PASSWORD, "new_password": new})
    problem(api.connection.post("/v1/people/sessions", json={"name": person.name, "password": "wrong" * 3}))
    person = log_in(api, person.name, new)
    person.request("DELETE", "/v1/people/sessions/current")
    log_in(api, person.name, new).request("DELETE", "/v1/people/sessions")
    log_in(api, person.name, new).request("DELETE", "/v1/people/self")
    operator(api)


def test_every_deed_is_a_row_in_a_chain(api: Api) -> None:
    live(api)
    rows = rows_of(api)
    verify_chain(rows)
    assert [row.deed.event for row in rows] == [
        "device-enrolled",
        "consent-given",
        "device-secret-rotated",
        "consent-withdrawn",
        "device-removed",
        "signed-up",
        "logged-in",
        "refresh-token-reused",
        "logged-in",
        "password-changed",
        "logged-in",
        "login-refused",
        "logged-in",
        "logged-out",
        "logged-in",
        "logged-out-everywhere",
        "logged-in",
        "person-removed",
        "operator-created",
        "logged-in",
    ]
    assert len({row.deed.actor_id for row in rows[:5]}) == 1
    assert {row.deed.recorded_at for row in rows} == {int(api.clock.now.timestamp())}


def test_a_deed_that_fails_leaves_no_row(api: Api) -> None:
    sign_up(api)
    before = rows_of(api)
    assert problem(api.connection.post("/v1/people", json={"name": "quiet-river", "password": PASSWORD}))[0] == 409
    assert api.connection.post("/v1/consents", json={}).status_code == 422
    assert rows_of(api) == before


def test_what_changes_nothing_is_no_deed_and_a_consent_names_its_purpose(api: Api) -> None:
    device = api.enrolled(Purpose.TRAINING)
    text_again = next(
        found for found in device.consent_texts() if (found.purpose, found.language) == ("training", "ko")
    )
    device.give_consent(text_again)
    for _ in range(2):
        device.withdraw(Purpose.TRAINING)
    guard = operator(api)
    made = guard.request("POST", "/v1/guardians", json={"purpose": "detection", "reference": "2026/0417"}).json()
    guard.request("DELETE", f"/v1/guardians/{made['guardian_record']}")
    deeds = [(row.deed.event, row.deed.subject) for row in rows_of(api)]
    assert [deed for deed in deeds if deed[1] in set(Purpose)] == [
        ("consent-given", "training"),
        ("consent-withdrawn", "training"),
        ("guardian-recorded", "detection"),
        ("guardian-withdrew", "detection"),
    ]
    assert len(deeds) == 7


def test_an_operator_is_named_as_long_as_there_is_one_and_nobody_else_is(api: Api) -> None:
    guard, _ = operator(api), sign_up(api)
    named = {row["actor_kind"]: row["actor_name"] for row in guard.request("GET", "/v1/audit").json()["rows"]}
    assert named == {"person": None, "operator": guard.name, "console": None}


def test_what_is_done_on_the_machine_itself_is_recorded_too(
    migrated_sqlite: str, sqlite_api: Api, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sqlite_api.engine.dispose()
    where = ["--database", migrated_sqlite]
    assert main(["migrate", *where, "--keys", str(tmp_path / "keys")]) == 0
    before = len(rows_of(sqlite_api))
    with transaction(sqlite_api.engine) as connection:
        connection.execute(text("DELETE FROM devices"))  # their secrets are under keys of another test
    assert main(["rotate-keys", *where, "--keys", str(tmp_path / "keys")]) == 0
    assert main(["release-statistics", "--early", *where]) == 4  # too few reports: nothing was done
    created = operator(sqlite_api, "console-made").request("GET", "/v1/people/self").json()["id"]
    added = [row.deed for row in rows_of(sqlite_api)[before:]]
    assert [(deed.event, deed.actor_kind, deed.actor_id) for deed in added[:2]] == [
        ("keys-rotated", "console", ""),
        ("operator-created", "console", ""),
    ]
    assert added[1].subject == created


def test_no_name_secret_token_or_address_is_in_it(sqlite_api: Api) -> None:
    person = sign_up(sqlite_api, "the-name-of-somebody")
    guard = operator(sqlite_api, "name-of-an-operator")
    answer = guard.request("POST", "/v1/guardians", json={"purpose": "statistics", "reference": "2026/0417"})
    guard.request("DELETE", f"/v1/guardians/{answer.json()['guardian_record']}")
    said = "".join(str(row) for row in rows_of(sqlite_api))
    kept = (person.name, guard.name, PASSWORD, person.access, person.refresh, "testclient", "2026/0417")
    assert [secret for secret in (*kept, answer.json()["guardian_record"]) if secret in said] == []


def test_the_row_is_the_last_thing_that_a_transaction_writes(api: Api) -> None:
    # Whoever waits for another lock while holding the chain's could block PostgreSQL for ever.
    after: list[str] = []
    ended: list[int] = []
    locked: set[int] = set()

    @event.listens_for(api.engine, "before_cursor_execute")
    def note(connection: Connection, _cursor: object, statement: str, *_: object) -> None:
        if "INTO audit_log" in statement:
            locked.add(id(connection))
        elif id(connection) in locked and statement.startswith(("INSERT", "UPDATE", "DELETE")):
            after.append(statement)

    @event.listens_for(api.engine, "commit")
    def forget(connection: Connection) -> None:
        locked.discard(id(connection))
        ended.append(id(connection))

    live(api)
    assert len(ended) > 20
    assert (after, locked) == ([], set())


def test_rows_written_at_once_follow_one_another(api: Api) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: api.anonymous().enroll(), range(40)))
    rows = rows_of(api)
    assert verify_chain(rows).number == len(rows) == 40


def append_at_once(engine: Engine, deed: Deed) -> None:
    with transaction(engine) as connection:
        connection.execute(text("SET LOCAL lock_timeout = '50ms'"))
        append_deed(connection, deed)


def test_on_postgresql_a_second_writer_waits_for_the_first(
    make_api: Callable[[str], Api], migrated_postgresql: str
) -> None:
    engine = make_api(migrated_postgresql).engine
    deed = Deed(0, "signed-up", "nobody", "")
    with transaction(engine) as first:
        first.execute(text("DELETE FROM audit_log"))
    with transaction(engine) as first:
        append_deed(first, deed)
        with pytest.raises(OperationalError, match="lock timeout"):
            append_at_once(engine, deed)
    with transaction(engine) as second:
        append_deed(second, deed)
        assert verify_chain(all_rows(second)).number == 2


def test_operators_read_it_in_pages(api: Api) -> None:
    guard = operator(api)
    for _ in range(5):
        api.anonymous().enroll()
    first = guard.request("GET", "/v1/audit", params={"limit": 4}).json()
    second = guard.request("GET", "/v1/audit", params={"limit": 4, "before": first["before"]}).json()
    numbers = [row["number"] for row in first["rows"] + second["rows"]]
    assert numbers == [7, 6, 5, 4, 3, 2, 1]
    assert (first["before"], second["before"]) == (4, None)
    assert (second["rows"][-1]["event"], second["rows"][-1]["actor_kind"]) == ("operator-created", "console")
    assert [row["hash"] for row in first["rows"]] == [row.hash for row in reversed(rows_of(api)[3:])]


@pytest.mark.parametrize("query", ["limit=0", "limit=501", "before=0", "before=x", "limit=9999999999999999999999"])
def test_a_page_that_makes_no_sense_is_refused(sqlite_api: Api, query: str) -> None:
    guard = LoggedIn(sqlite_api, "", "none", "")
    assert guard.request("GET", f"/v1/audit?{query}").status_code in (401, 422)


def audited(engine: Engine, url: str, *options: str) -> int:
    engine.dispose()
    return main(["audit", "--database", url, *options])


TAMPERING = {
    "UPDATE audit_log SET actor_id = 'f' WHERE number = 3": "row 3 was changed",
    "UPDATE audit_log SET event = 'logged-in' WHERE number = 2": "row 2 was changed",
    "UPDATE audit_log SET recorded_at = recorded_at + 1 WHERE number = 4": "row 4 was changed",
    "UPDATE audit_log SET subject = 'f' WHERE number = 1": "row 1 was changed",
    "UPDATE audit_log SET actor_kind = 'person' WHERE number = 5": "row 5 was changed",
    "UPDATE audit_log SET hash = '' WHERE number = 5": "row 5 was changed",
    "DELETE FROM audit_log WHERE number = 1": "row 1 is missing",
    "DELETE FROM audit_log WHERE number = 3": "row 3 is missing",
    "UPDATE audit_log SET number = number + 100 WHERE number = 3": "row 3 is missing",
    "DELETE FROM audit_log WHERE number = 5": "row 5 is missing: the end was cut off",
    "DELETE FROM audit_log": "row 1 is missing: the end was cut off",
}


@pytest.mark.parametrize("statement", TAMPERING)
def test_the_command_finds(
    api: Api, database_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], statement: str
) -> None:
    for _ in range(5):
        api.anonymous().enroll()
    anchors = ["--anchors", str(tmp_path / "anchors")]
    assert audited(api.engine, database_url, *anchors) == 0
    whole = json.loads(capsys.readouterr().out)
    assert (whole["rows"], whole["anchor"]) == (5, str(end_of(rows_of(api))))
    with transaction(api.engine) as connection:
        connection.execute(text(statement))
    assert audited(api.engine, database_url, *anchors) == 4
    assert TAMPERING[statement] in capsys.readouterr().err
    if "cut off" in TAMPERING[statement]:  # what is cut off the end shows by an anchor alone
        assert audited(api.engine, database_url) == 0


def test_the_file_of_anchors_grows_with_the_log_and_damage_to_it_is_said(
    sqlite_api: Api, migrated_sqlite: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "anchors"
    for _ in range(2):
        sqlite_api.anonymous().enroll()
        for _ in range(2):
            assert audited(sqlite_api.engine, migrated_sqlite, "--anchors", str(path)) == 0
    assert len(path.read_text().splitlines()) == 2
    path.write_text("nonsense\n")
    assert audited(sqlite_api.engine, migrated_sqlite, "--anchors", str(path)) == 3
    assert audited(sqlite_api.engine, migrated_sqlite, "--anchors", str(tmp_path)) == 3
    assert "anchor" in capsys.readouterr().err
