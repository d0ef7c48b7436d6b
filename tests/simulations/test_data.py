"""Calls of a world: kept apart by group, of the user's own where a file is given, and never one in two places."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from models.corpus.generator import generate_calls, scenario_of
from models.corpus.grouping import group_calls
from models.corpus.reader import write_calls
from models.domain.call import Label
from models.errors import BadInputError
from simulations.data import WorldCalls, gather_calls
from simulations.scenarios import drift_named
from simulations.settings import RunSettings

SETTINGS = RunSettings(devices=40, cohort=4, rounds=1)
DRIFT = drift_named(SETTINGS.scenario)


@pytest.fixture(scope="module", autouse=True)
def small_server() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as sizes:
        sizes.setattr("simulations.data.SERVER_CALLS", 200)
        sizes.setattr("simulations.data.ACCEPTANCE_CALLS", 100)
        yield


@pytest.fixture(scope="module")
def world() -> WorldCalls:
    return gather_calls(SETTINGS, DRIFT)


def test_no_near_duplicate_of_a_devices_call_is_kept_apart(world):
    groups = group_calls([*world.devices, *world.kept_apart])
    assert not set(groups[: len(world.devices)]) & set(groups[len(world.devices) :])


def test_the_server_draws_no_call_from_a_scenario_that_people_meet(world):
    server = {scenario_of(call.id) for call in world.server}
    assert not server & {scenario_of(call.id) for call in [*world.devices, *world.kept_apart, *world.acceptance]}


def test_the_new_type_is_everywhere_but_with_the_server(world):
    assert DRIFT.new_type not in {call.scam_type for call in world.server}
    for calls in (world.acceptance, world.devices, world.kept_apart):
        assert DRIFT.new_type in {call.scam_type for call in calls}


def test_every_place_has_both_labels(world):
    for calls in (world.server, world.acceptance, world.devices, world.kept_apart):
        assert {call.label for call in calls} == set(Label)


def test_the_same_seed_gathers_the_same(world):
    assert gather_calls(SETTINGS, DRIFT) == world
    assert gather_calls(replace(SETTINGS, seed=8), DRIFT) != world


def test_own_calls_are_on_the_devices_and_kept_apart_each_once(tmp_path):
    own = generate_calls(60, seed=9)
    write_calls(tmp_path / "own.jsonl", own)
    world = gather_calls(replace(SETTINGS, calls=tmp_path / "own.jsonl"), DRIFT)
    assert sorted(call.id for call in [*world.devices, *world.kept_apart]) == sorted(call.id for call in own)
    assert 0.1 < len(world.kept_apart) / len(own) < 0.3
    assert not {call.id for call in own} & {call.id for call in [*world.server, *world.acceptance]}


@pytest.mark.parametrize("seed", range(5))
def test_a_single_device_has_calls_and_some_are_kept_apart(seed):
    world = gather_calls(RunSettings(devices=1, cohort=1, rounds=1, seed=seed), DRIFT)
    for calls in (world.devices, world.kept_apart):
        assert {call.label for call in calls} == set(Label)


@pytest.mark.parametrize("label", list(Label))
def test_own_calls_of_one_label_are_refused_with_the_file_and_what_is_missing(tmp_path, label):
    path = tmp_path / "own.jsonl"
    write_calls(path, generate_calls(20, seed=9, vishing_share=float(label)))
    with pytest.raises(BadInputError) as refused:
        gather_calls(replace(SETTINGS, calls=path), DRIFT)
    missing = Label.NORMAL if label is Label.VISHING else Label.VISHING
    assert "own.jsonl" in str(refused.value)
    assert f"no {missing.name.lower()} call" in str(refused.value)
