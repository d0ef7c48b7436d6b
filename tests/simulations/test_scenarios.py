"""Worlds: what the server's corpus, its acceptance set and people's calls may share, and what they never do."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.corpus.scenario import load_scenarios
from models.domain.call import Label
from models.errors import UsageError
from simulations.scenarios import DEFAULT_DRIFT, DRIFTS, Worlds, deal_scenarios, drift_named

drifts = st.sampled_from(sorted(DRIFTS.values(), key=lambda drift: drift.name))
seeds = st.integers(min_value=0, max_value=2**32 - 1)


def dealt(drift, seed) -> Worlds:
    return deal_scenarios(load_scenarios(), drift.new_type, seed)


def ids(scenarios) -> set[str]:
    return {scenario.id for scenario in scenarios}


@given(drifts, seeds)
@settings(max_examples=40)
def test_the_server_knows_no_scenario_that_people_meet_or_that_models_are_judged_by(drift, seed):
    worlds = dealt(drift, seed)
    assert not ids(worlds.server) & (ids(worlds.people) | ids(worlds.acceptance))


@given(drifts, seeds)
@settings(max_examples=40)
def test_people_and_the_acceptance_set_share_scenarios_of_the_new_type_only(drift, seed):
    worlds = dealt(drift, seed)
    shared = ids(worlds.people) & ids(worlds.acceptance)
    assert {scenario.scam_type for scenario in worlds.people if scenario.id in shared} <= {drift.new_type}


@given(drifts, seeds)
@settings(max_examples=40)
def test_the_server_has_no_scenario_of_the_new_type_and_people_have(drift, seed):
    worlds = dealt(drift, seed)
    assert drift.new_type not in {scenario.scam_type for scenario in worlds.server}
    assert drift.new_type in {scenario.scam_type for scenario in worlds.people}
    assert drift.new_type in {scenario.scam_type for scenario in worlds.acceptance}


@given(drifts, seeds)
@settings(max_examples=40)
def test_every_world_has_scams_everyday_calls_and_hard_ones(drift, seed):
    worlds = dealt(drift, seed)
    for world in (worlds.server, worlds.acceptance, worlds.people):
        assert {(scenario.label, scenario.hard) for scenario in world} == {
            (Label.VISHING, False),
            (Label.NORMAL, False),
            (Label.NORMAL, True),
        }


@given(drifts, seeds)
@settings(max_examples=20)
def test_every_scenario_is_dealt_and_the_same_seed_deals_the_same(drift, seed):
    worlds = dealt(drift, seed)
    assert ids(worlds.server) | ids(worlds.people) | ids(worlds.acceptance) == ids(load_scenarios())
    assert dealt(drift, seed) == worlds
    for world in (worlds.server, worlds.people, worlds.acceptance):
        assert max(Counter(scenario.id for scenario in world).values()) == 1


def test_the_default_drift_is_one_of_those_offered():
    assert drift_named(DEFAULT_DRIFT) is DRIFTS[DEFAULT_DRIFT]


def test_an_unknown_drift_is_refused_with_the_names_that_there_are():
    with pytest.raises(UsageError, match="new-messenger"):
        drift_named("new-weather")
