from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.domain.order import (
    Order,
    OrderState,
    Outcome,
    PauseRounds,
    Refusal,
    RegisterNode,
    RemoveNode,
    ResumeRounds,
    RollBack,
    SetRollout,
    admitted_nodes,
    order_record,
    outcome_record,
    parse_order,
    parse_outcome,
)
from models.domain.release import releases_digest
from models.errors import BadInputError

texts = st.text(max_size=20)
numbers = st.integers()
orders = st.one_of(
    texts.map(RegisterNode),
    texts.map(RemoveNode),
    st.builds(SetRollout, numbers, numbers, texts),
    st.builds(RollBack, numbers, numbers, texts),
    st.just(PauseRounds()),
    st.just(ResumeRounds()),
)
outcomes = st.builds(
    Outcome,
    st.sampled_from([OrderState.DONE, OrderState.REFUSED]),
    numbers,
    st.none() | st.sampled_from(Refusal),
    st.none() | numbers,
)


@given(orders)
def test_an_order_comes_back_from_its_record_as_it_was(order: Order) -> None:
    assert parse_order(order_record(order)) == order


@pytest.mark.parametrize(
    "record",
    [
        {},
        {"kind": "conjure", "node_key": "a"},
        {"kind": "register-node"},
        {"kind": "register-node", "node_key": 7},
        {"kind": "register-node", "node_key": "a", "device": "b"},
        {"kind": None, "node_key": "a"},
        {"kind": "remove-node", "node_key": "a"},
        {"kind": "pause", "node_key": "a"},
        {"kind": "set-rollout", "version": 1, "rollout_percent": 5},
        {"kind": "set-rollout", "version": "1", "rollout_percent": 5, "releases": ""},
        {"kind": "set-rollout", "version": True, "rollout_percent": 5, "releases": ""},
        {"kind": "roll-back", "to_version": 1.0, "rollout_percent": 5, "releases": ""},
    ],
)
def test_a_record_that_is_no_order_is_refused(record: dict[str, object]) -> None:
    with pytest.raises(BadInputError):
        parse_order(record)


def test_a_node_is_admitted_by_a_registration_that_was_not_taken_back_in_whatever_order_they_are_read() -> None:
    told = {"1": RegisterNode("a"), "2": RegisterNode("b"), "3": RemoveNode("1"), "4": RegisterNode("a")}
    for names in itertools.permutations(told):
        assert admitted_nodes({name: told[name] for name in names}) == {"a", "b"}
    assert admitted_nodes({**told, "5": RemoveNode("4")}) == {"b"}
    assert admitted_nodes({}) == frozenset()


@given(outcomes)
def test_an_outcome_comes_back_from_its_record_as_it_was(outcome: Outcome) -> None:
    assert parse_outcome(outcome_record(outcome)) == outcome


@pytest.mark.parametrize(
    "change",
    [{"state": "pending"}, {"state": "x"}, {"refusal": "x"}, {"at": None}, {"version": "1"}, {"version": True}],
)
def test_a_record_that_is_no_outcome_is_refused(change: dict[str, object]) -> None:
    record = outcome_record(Outcome(OrderState.DONE, 7))
    with pytest.raises(BadInputError):
        parse_outcome(record | change)
    with pytest.raises(BadInputError):
        parse_outcome({name: value for name, value in record.items() if name not in change})


@given(st.dictionaries(st.integers(1, 9), st.integers(0, 100), max_size=4), st.data())
def test_a_digest_names_the_releases_and_their_rollouts(rollouts: dict[int, int], data: st.DataObject) -> None:
    other = data.draw(st.dictionaries(st.integers(1, 9), st.integers(0, 100), max_size=4))
    shuffled = dict(data.draw(st.permutations(list(rollouts.items()))))
    assert releases_digest(shuffled) == releases_digest(rollouts)
    assert (releases_digest(other) == releases_digest(rollouts)) == (other == rollouts)
