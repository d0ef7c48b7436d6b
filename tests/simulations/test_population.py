"""Dealing calls to devices: every call once, the same for the same seed, unevenly, and scams to few."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.corpus.generator import generate_calls
from models.detector.embedding import quantise_rows
from models.domain.call import Call, Label, ScamType
from models.text.ngrams import NgramScheme
from simulations.population import SHARE_OF_TARGETS, Population, deal_calls

TYPES = [kind for kind in ScamType if kind is not ScamType.UNKNOWN]


def made_calls(kinds: list[ScamType | None]) -> list[Call]:
    return [
        Call(
            id=str(number),
            label=Label.NORMAL if kind is None else Label.VISHING,
            text="여보세요",
            scam_type=kind or ScamType.UNKNOWN,
        )
        for number, kind in enumerate(kinds)
    ]


worlds = st.lists(st.sampled_from([None, None, *TYPES, ScamType.UNKNOWN]), max_size=60).map(made_calls)
counts = st.integers(min_value=1, max_value=40)
seeds = st.integers(min_value=0, max_value=2**32 - 1)


@given(worlds, counts, seeds)
def test_every_call_goes_to_exactly_one_device(calls, devices, seed):
    dealt = deal_calls(calls, devices, seed)
    assert len(dealt) == devices
    assert Counter(call.id for own in dealt for call in own) == Counter(call.id for call in calls)


@given(worlds, counts, seeds)
@settings(max_examples=30)
def test_the_same_seed_deals_the_same(calls, devices, seed):
    assert deal_calls(calls, devices, seed) == deal_calls(calls, devices, seed)


@given(worlds, st.integers(min_value=3, max_value=40), seeds)
def test_most_devices_hold_no_vishing(calls, devices, seed):
    holding = [own for own in deal_calls(calls, devices, seed) if any(call.label is Label.VISHING for call in own)]
    assert len(holding) <= max(1, round(SHARE_OF_TARGETS * devices)) < devices / 2


def test_another_seed_deals_otherwise():
    calls = made_calls([None] * 40)
    assert deal_calls(calls, 8, 1) != deal_calls(calls, 8, 2)


def test_devices_differ_in_number_of_calls_and_in_types_of_scam():
    calls = made_calls([None] * 400 + TYPES * 30)
    dealt = deal_calls(calls, 50, 7)
    numbers = [len(own) for own in dealt]
    assert np.std(numbers) > np.mean(numbers) / 2
    favourites = [Counter(call.scam_type for call in own if call.label is Label.VISHING) for own in dealt]
    largest = [max(types.values()) / types.total() for types in favourites if types.total() >= 5]
    assert np.mean(largest) > 2 / len(TYPES)


@pytest.fixture(scope="module")
def embedding():
    scheme = NgramScheme(buckets=1000)
    return quantise_rows(scheme, np.random.default_rng(0).normal(size=(1001, 4)).astype(np.float32))


def test_each_device_gets_its_own_calls_with_their_labels(embedding):
    calls = generate_calls(12, seed=1, vishing_share=0.5)
    dealt = [calls[:5], [], calls[5:]]
    population = Population(dealt, embedding)
    given_out = [population.calls_of(device) for device in range(3)]
    assert [[words.label for words in own] for own in given_out] == [[int(call.label) for call in own] for own in dealt]
    alone = [Population([own], embedding).calls_of(0) for own in dealt if own]
    for own, same in zip([given_out[0], given_out[2]], alone, strict=True):
        assert all(np.array_equal(a.embedded, b.embedded) for a, b in zip(own, same, strict=True))


def test_a_device_with_no_call_trains_on_none(embedding):
    assert Population([[], generate_calls(3, seed=1)], embedding).calls_of(0) == []
