"""The scenarios that ship are as many, as varied and as spoken as the corpus promises."""

from __future__ import annotations

import random
from collections import Counter
from itertools import pairwise

import pytest

from models.corpus.generator import generate_calls, unfold
from models.corpus.scenario import Scenario, Speaker, load_scenarios
from models.corpus.slots import slots_in
from models.corpus.speech import read_pairs, read_speech
from models.domain.call import Label

VISHING = [scenario for scenario in load_scenarios() if scenario.label is Label.VISHING]
NORMAL = [scenario for scenario in load_scenarios() if scenario.label is Label.NORMAL]
SPOKEN = read_speech()["spoken"]
BACKCHANNELS = {*SPOKEN["polite_backchannels"], *SPOKEN["casual_backchannels"]}
CALLS = generate_calls(len(VISHING) + len(NORMAL), seed=51, recogniser_noise=0.0)


def listed_kind(scenario: Scenario) -> str:
    """Couriers and card deliveries are a kind of their own to readers, and agency or smishing to the police."""
    return "delivery_card" if scenario.id.startswith("delivery_card") else scenario.kind


def turns_of(scenario: Scenario) -> list[str]:
    return [turn.text for stage in scenario.stages for choice in stage.choices for turn in choice]


def test_seventy_scenarios_of_vishing_cover_eight_kinds() -> None:
    kinds = Counter(listed_kind(scenario) for scenario in VISHING)
    assert len(VISHING) >= 70
    assert set(kinds) == {
        "agency", "loan", "messenger", "smishing", "personal_data", "ars", "malicious_app", "delivery_card"
    }  # fmt: skip
    assert min(kinds.values()) >= 8


def test_ninety_normal_scenarios_of_twelve_kinds_are_half_hard() -> None:
    assert len(NORMAL) >= 90
    assert len({scenario.kind for scenario in NORMAL}) >= 12
    hard = Counter(scenario.kind for scenario in NORMAL if scenario.hard)
    assert hard.total() >= 45
    listed = {"bank", "card", "civic", "public_line", "police", "courier", "hospital", "insurer", "employer"}
    listed |= {"telecom", "loan_advice", "scam_talk"}
    assert {kind for kind in listed if hard[kind] >= 2} == listed


def test_sixty_scenarios_are_calls_of_citizens_and_public_offices() -> None:
    offices = {"city_line", "tax_office", "insurance_pension", "justice_desk", "utility_line"}
    offices |= {"education_office", "grant_line", "member_line"}
    hard = Counter(scenario.hard for scenario in NORMAL if scenario.kind in offices)
    assert hard.total() >= 60
    assert hard[True] > hard[False]


def test_no_vishing_scenario_is_called_hard() -> None:
    assert not any(scenario.hard for scenario in VISHING)


def test_victims_comply_suspect_and_refuse() -> None:
    moods = Counter(mood for scenario in VISHING for mood in set(scenario.moods))
    assert moods["complies"] >= 0.9 * len(VISHING)
    assert moods["suspicious"] >= 0.9 * len(VISHING)
    assert moods["refuses"] >= 20
    assert all(len(scenario.moods) >= 2 for scenario in VISHING)


@pytest.mark.parametrize("scenario", load_scenarios(), ids=lambda scenario: scenario.id)
def test_two_draws_of_a_scenario_differ_in_structure(scenario: Scenario) -> None:
    draws = [tuple(unfold(scenario, random.Random(seed))) for seed in range(10)]
    assert len(set(draws)) >= 6
    # Not one stage more or less only: half of the turns of two draws aren't in both, on average.
    shared = [len(set(one) & set(other)) / len(set(one) | set(other)) for one, other in pairwise(draws)]
    assert sum(shared) / len(shared) < 0.75


@pytest.mark.parametrize("scenario", load_scenarios(), ids=lambda scenario: scenario.id)
def test_both_sides_of_a_scenario_speak(scenario: Scenario) -> None:
    speakers = Counter(turn.speaker for turn in unfold(scenario, random.Random(1)))
    assert min(speakers[Speaker.CALLER], speakers[Speaker.CALLED]) >= 2


def test_most_scenarios_have_slots_for_names_banks_amounts_dates_and_numbers() -> None:
    used = [slots_in(text) for scenario in (*VISHING, *NORMAL) for text in turns_of(scenario)]
    slots = Counter(slot for in_turn in used for slot in in_turn)
    assert all(slots[name] >= 20 for name in ("caller_name", "called_name", "bank", "amount", "date", "account_number"))
    vishing = [scenario for scenario in VISHING if any(slots_in(text) for text in turns_of(scenario))]
    assert len(vishing) >= 0.95 * len(VISHING)


def test_listeners_say_back_channels_and_break_in() -> None:
    heard = sum(any(segment.text in BACKCHANNELS for segment in call.segments) for call in CALLS)
    broke_in = sum(any(later.start < earlier.end for earlier, later in pairwise(call.segments)) for call in CALLS)
    assert heard >= 0.5 * len(CALLS)
    assert broke_in >= 0.5 * len(CALLS)


def test_some_called_people_speak_a_dialect() -> None:
    endings = {spoken for pairs in read_speech()["dialects"].values() for _, spoken in read_pairs(pairs)}
    marked = {ending for ending in endings if ending.endswith(("예", "더", "꺼", "디요", "디", "께", "유", "라"))}
    spoken = sum(any(word.endswith(tuple(marked)) for word in call.transcript.split()) for call in CALLS)
    assert 0.05 * len(CALLS) < spoken < 0.6 * len(CALLS)


def test_every_synthetic_call_has_segments_with_seconds() -> None:
    for call in generate_calls(400, seed=52):
        assert len(call.segments) >= 2
        assert call.segments[0].start == 0.0
        assert all(segment.end > segment.start for segment in call.segments)
