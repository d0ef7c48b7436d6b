from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.domain.order import Order, RegisterNode, RemoveNode, admitted_nodes, order_record, parse_order
from models.errors import BadInputError

texts = st.text(max_size=20)
orders = st.one_of(texts.map(RegisterNode), texts.map(RemoveNode))


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
