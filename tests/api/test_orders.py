"""Operators order rollouts, rollbacks and pauses: under the state that they saw, once confirmed, and see the end."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from api.audit.chain import verify_chain
from api.audit.repository import all_rows
from api.database import transaction
from api.upkeep import run_upkeep
from fl_server.orders import carry_out_orders
from models.domain.order import RollBack, SetRollout, parse_order
from models.record import read_records
from tests.api.conftest import Api
from tests.api.people import LoggedIn, operator, problem
from tests.release_server import Publisher


@pytest.fixture
def publisher(api: Api) -> Publisher:
    """A registry with two releases, the second for a tenth of the devices."""
    made = Publisher(api.registry.parent)
    made.publish(1)
    made.publish(2, 10)
    return made


@pytest.fixture
def guard(api: Api) -> LoggedIn:
    return operator(api)


def tag_of(guard: LoggedIn) -> str:
    return guard.request("GET", "/v1/releases").headers["etag"]


def rollout(version: int = 2, percent: int = 50, **changes: Any) -> dict[str, Any]:
    return {"kind": "set-rollout", "version": version, "confirm": version, "rollout_percent": percent, **changes}


def order(guard: LoggedIn, body: dict[str, Any], tag: str | None) -> httpx.Response:
    headers = {"Authorization": f"Bearer {guard.access}"} | ({} if tag is None else {"If-Match": tag})
    return guard.api.connection.post("/v1/orders", json=body, headers=headers)


def listed(guard: LoggedIn, **query: Any) -> list[dict[str, Any]]:
    answer = guard.request("GET", "/v1/orders", params=query)
    assert answer.status_code == 200
    found: list[dict[str, Any]] = answer.json()["orders"]
    return found


def settle(publisher: Publisher) -> list[str]:
    return [each.outcome.state.value for each in carry_out_orders(publisher.registry, publisher.online)]


def test_an_operator_sees_all_releases_the_newest_first(guard: LoggedIn, publisher: Publisher) -> None:
    seen = guard.request("GET", "/v1/releases").json()
    assert [(release["version"], release["rollout_percent"]) for release in seen["releases"]] == [(2, 10), (1, 100)]
    assert (seen["paused"], seen["pending"]) == (False, [])


def test_a_rollout_goes_from_the_order_to_what_devices_are_offered(
    api: Api, guard: LoggedIn, publisher: Publisher
) -> None:
    placed = order(guard, rollout(), tag_of(guard))
    assert placed.status_code == 202
    name = placed.json()["name"]
    (pending,) = listed(guard)
    assert (pending["name"], pending["state"], pending["settled_at"]) == (name, "pending", None)
    assert guard.request("GET", "/v1/releases").json()["pending"] == [name]
    assert settle(publisher) == ["done"]
    (done,) = listed(guard)
    assert (done["state"], done["made_version"], done["refusal"]) == ("done", 2, None)
    assert (done["kind"], done["version"], done["rollout_percent"]) == ("set-rollout", 2, 50)
    assert api.connection.get("/v1/releases/current").json()["rollout_percent"] == 50


def test_a_rollback_makes_a_release_of_the_old_files(api: Api, guard: LoggedIn, publisher: Publisher) -> None:
    assert order(guard, rollout(1, 100, kind="roll-back"), tag_of(guard)).status_code == 202
    assert settle(publisher) == ["done"]
    assert listed(guard)[0]["made_version"] == 3
    current = api.connection.get("/v1/releases/current").json()
    releases = guard.request("GET", "/v1/releases").json()["releases"]
    assert (current["version"], current["files"]) == (3, releases[-1]["files"])


def test_rounds_are_paused_and_resumed(guard: LoggedIn, publisher: Publisher) -> None:
    for kind, paused in (("pause", True), ("resume", False)):
        assert order(guard, {"kind": kind}, tag_of(guard)).status_code == 202
        settle(publisher)
        assert guard.request("GET", "/v1/releases").json()["paused"] == paused


@pytest.mark.parametrize("changed", [{"version": "2", "confirm": "2"}, {"rollout_percent": "50"}, {"version": True}])
def test_a_number_in_an_order_is_a_number(guard: LoggedIn, publisher: Publisher, changed: dict[str, Any]) -> None:
    assert problem(order(guard, rollout() | changed, tag_of(guard))) == (422, "invalid-request")


@pytest.mark.parametrize("tag", ["*", '""', '"0"', "nonsense", ""])
def test_nothing_is_ordered_under_another_state_than_the_one_there_is(
    api: Api, guard: LoggedIn, publisher: Publisher, tag: str
) -> None:
    assert problem(order(guard, rollout(), tag)) == (412, "state-changed")
    assert problem(order(guard, rollout(), None)) == (428, "state-missing")
    assert (api.count("operator_orders"), api.count("pending_orders")) == (0, 0)


def test_whatever_changes_makes_the_state_stale(guard: LoggedIn, publisher: Publisher) -> None:
    tags = [tag_of(guard)]
    assert tag_of(guard) == tags[0]
    order(guard, {"kind": "pause"}, tags[0])  # an order that waits
    tags.append(tag_of(guard))
    settle(publisher)  # the pause
    tags.append(tag_of(guard))
    publisher.publish(3, 0)  # a release by other hands
    tags.append(tag_of(guard))
    assert len(set(tags)) == 4
    for stale in tags[:-1]:
        assert problem(order(guard, rollout(), stale)) == (412, "state-changed")
    assert order(guard, rollout(), tags[-1]).status_code == 202


def test_what_changed_after_the_order_was_placed_has_it_refused(guard: LoggedIn, publisher: Publisher) -> None:
    order(guard, rollout(), tag_of(guard))
    publisher.publish(3, 0)
    assert settle(publisher) == ["refused"]
    assert (listed(guard)[0]["state"], listed(guard)[0]["refusal"]) == ("refused", "releases-changed")


def test_of_many_orders_at_once_under_one_state_one_is_placed(api: Api, guard: LoggedIn, publisher: Publisher) -> None:
    tag = tag_of(guard)
    with ThreadPoolExecutor(6) as pool:
        codes = list(pool.map(lambda percent: order(guard, rollout(percent=percent), tag).status_code, range(6)))
    assert sorted(codes) == [202, 412, 412, 412, 412, 412]
    assert api.count("operator_orders") == 1


NO_ORDERS: list[dict[str, Any]] = [
    rollout(confirm=1),
    rollout(percent=101),
    rollout(percent=-1),
    rollout(version=0),
    rollout(version=2**53 + 1),
    rollout(version=None),
    rollout(version="2; DROP"),
    rollout(reason="엄마 지금 송금했어"),
    {"kind": "set-rollout", "version": 2, "rollout_percent": 50},
    {"kind": "pause", "version": 2},
    {"kind": "conjure"},
    {},
]


def test_what_is_not_confirmed_or_no_order_is_refused(api: Api, guard: LoggedIn, publisher: Publisher) -> None:
    for body in NO_ORDERS:
        answer = order(guard, body, tag_of(guard))
        assert problem(answer) == (422, "invalid-request"), body
        assert "송금" not in answer.text
    assert api.count("operator_orders") == 0


def test_a_release_that_is_not_there_is_not_found(guard: LoggedIn, publisher: Publisher) -> None:
    assert problem(order(guard, rollout(7), tag_of(guard))) == (404, "not-found")
    assert problem(order(guard, rollout(7, kind="roll-back"), tag_of(guard))) == (404, "not-found")


def test_the_order_in_the_registry_holds_what_was_ordered_and_nobody(
    api: Api, guard: LoggedIn, publisher: Publisher
) -> None:
    order(guard, rollout(), tag_of(guard))
    settle(publisher)
    order(guard, rollout(1, 100, kind="roll-back"), tag_of(guard))
    records = read_records(api.registry / "orders")
    assert {type(parse_order(record)) for record in records.values()} == {SetRollout, RollBack}
    person = guard.request("GET", "/v1/people/self").json()["id"]
    assert person not in str(records)
    assert {found["placed_by"] for found in listed(guard)} == {person}


def test_who_ordered_what_is_in_the_audit_log(api: Api, guard: LoggedIn, publisher: Publisher) -> None:
    names = []
    for body in (rollout(), rollout(1, kind="roll-back"), {"kind": "pause"}, {"kind": "resume"}):
        names.append(order(guard, body, tag_of(guard)).json()["name"])
        settle(publisher)
    with transaction(api.engine, write=False) as connection:
        rows = list(all_rows(connection))
    verify_chain(rows)
    person = guard.request("GET", "/v1/people/self").json()["id"]
    subjects = [f"{names[0]} release=2 percent=50", f"{names[1]} release=1 percent=50", *names[2:]]
    assert [(row.deed.event, row.deed.actor_kind, row.deed.actor_id, row.deed.subject) for row in rows[-4:]] == [
        (event, "operator", person, subject)
        for event, subject in zip(
            ("rollout-ordered", "rollback-ordered", "pause-ordered", "resumption-ordered"), subjects, strict=True
        )
    ]


def test_orders_are_listed_in_pages(guard: LoggedIn, publisher: Publisher) -> None:
    names = []
    for kind in ("pause", "resume", "pause"):
        guard.api.clock.now = guard.api.clock.now.replace(microsecond=1000 * len(names))
        names.append(order(guard, {"kind": kind}, tag_of(guard)).json()["name"])
    first = guard.request("GET", "/v1/orders", params={"limit": 2}).json()
    second = guard.request("GET", "/v1/orders", params={"limit": 2, "before": first["before"]}).json()
    assert [found["name"] for found in first["orders"] + second["orders"]] == names[::-1]
    assert second["before"] is None


def test_an_order_that_cannot_be_written_yet_is_pending_and_is_written_later(
    api: Api, guard: LoggedIn, publisher: Publisher
) -> None:
    folder = api.registry / "orders"
    folder.rmdir()
    folder.write_text("in the way")
    assert order(guard, rollout(), tag_of(guard)).status_code == 202
    assert listed(guard)[0]["state"] == "pending"
    folder.unlink()
    run_upkeep(api.app.state.context)
    assert settle(publisher) == ["done"]


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"state": "pending", "at": 1, "refusal": null, "version": null}'])
def test_a_damaged_outcome_is_said_to_be_so(api: Api, guard: LoggedIn, publisher: Publisher, damage: str) -> None:
    order(guard, {"kind": "pause"}, tag_of(guard))
    settle(publisher)
    (path,) = (path for path in (api.registry / "outcomes").iterdir() if path.suffix == ".json")
    path.write_text(damage)
    assert problem(guard.request("GET", "/v1/orders")) == (503, "not-ready")


def test_a_damaged_registry_takes_no_orders(api: Api, guard: LoggedIn, publisher: Publisher) -> None:
    tag = tag_of(guard)
    (api.registry / "metadata/timestamp.json").write_text("{")
    assert problem(guard.request("GET", "/v1/releases")) == (503, "not-ready")
    assert problem(order(guard, rollout(), tag)) == (503, "not-ready")
