"""Splits never let one recording, or one scenario, stand on both sides."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.corpus.generator import generate_calls, scenario_of
from models.corpus.grouping import group_calls
from models.corpus.splits import split_by_group, split_by_scenario
from models.domain.call import Call, Label
from models.errors import SplitError, UsageError

SYNTHETIC = generate_calls(200, seed=31)
WORDS = ("바다", "산책", "국수", "날씨", "영화", "버스", "시험", "운동", "감기", "화분")


def spoken(number: int, label: Label) -> Call:
    """Calls with the same tens digit are near duplicates."""
    word = WORDS[number // 10 % 10]
    return Call(f"{label}-{number}", label, text=f"{word} {word}에서 {label.name} {number // 10}번 {word}하고 {word}만")


@given(share=st.floats(0.1, 0.9), seed=st.integers(0, 100))
@settings(max_examples=25)
def test_no_scenario_stands_on_both_sides_and_no_call_is_lost(share: float, seed: int) -> None:
    rest, apart = split_by_scenario(SYNTHETIC, share, seed)
    assert not {scenario_of(call.id) for call in rest} & {scenario_of(call.id) for call in apart}
    assert sorted(call.id for call in rest + apart) == sorted(call.id for call in SYNTHETIC)


def test_about_the_share_of_each_label_is_kept_apart() -> None:
    _, apart = split_by_scenario(SYNTHETIC, 0.3, seed=1)
    by_label = Counter(call.label for call in apart)
    assert by_label[Label.VISHING] == pytest.approx(30, abs=12)
    assert by_label[Label.NORMAL] == pytest.approx(30, abs=6)


def test_no_near_duplicate_stands_on_both_sides() -> None:
    calls = [spoken(number, label) for number in range(100) for label in Label]
    rest, apart = split_by_group(calls, 0.2, seed=1)
    groups = dict(zip((call.id for call in calls), group_calls(calls), strict=True))
    assert not {groups[call.id] for call in rest} & {groups[call.id] for call in apart}
    assert Counter(call.label for call in apart) == {Label.NORMAL: 20, Label.VISHING: 20}


def test_the_same_seed_gives_the_same_split_and_another_seed_another() -> None:
    assert split_by_scenario(SYNTHETIC, 0.3, seed=1) == split_by_scenario(SYNTHETIC, 0.3, seed=1)
    assert split_by_scenario(SYNTHETIC, 0.3, seed=1) != split_by_scenario(SYNTHETIC, 0.3, seed=2)


@pytest.mark.parametrize("share", [0.0, 1.0, -1.0, float("nan")])
def test_a_share_that_leaves_a_side_empty_is_refused(share: float) -> None:
    with pytest.raises(SplitError, match="between 0 and 1"):
        split_by_scenario(SYNTHETIC, share, seed=1)


def test_a_label_that_is_not_there_is_refused() -> None:
    with pytest.raises(SplitError, match="the rest would hold no vishing call"):
        split_by_scenario([call for call in SYNTHETIC if call.label is Label.NORMAL], 0.3, seed=1)


def test_a_label_with_a_single_group_is_refused() -> None:
    calls = [spoken(number, Label.NORMAL) for number in range(50)] + [spoken(1, Label.VISHING)]
    with pytest.raises(SplitError, match="what is kept apart would hold no vishing call"):
        split_by_group(calls, 0.2, seed=1)


def test_real_calls_can_not_be_split_by_scenario() -> None:
    with pytest.raises(UsageError, match="not a synthetic call"):
        split_by_scenario([spoken(1, Label.NORMAL), spoken(2, Label.VISHING)], 0.5, seed=1)
