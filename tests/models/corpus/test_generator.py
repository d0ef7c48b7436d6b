"""Synthetic calls: the same seed gives the same calls, and their time is that of real ones."""

from __future__ import annotations

import statistics
from collections import Counter
from itertools import pairwise

import pytest

from models.corpus.generator import SOURCE, generate_calls, scenario_of
from models.corpus.scenario import Scenario, Speaker, Stage, Turn, load_scenarios
from models.domain.call import Label, ScamType
from models.errors import UsageError
from models.text.window import words_until

CALLS = generate_calls(300, seed=11)


def test_the_same_seed_gives_the_same_calls() -> None:
    assert generate_calls(20, seed=3) == generate_calls(20, seed=3)


def test_another_seed_gives_other_calls() -> None:
    ours, others = generate_calls(20, seed=3), generate_calls(20, seed=4)
    assert not {call.transcript for call in ours} & {call.transcript for call in others}


def test_no_two_calls_share_an_id() -> None:
    assert len({call.id for call in CALLS}) == len(CALLS)


@pytest.mark.parametrize(("share", "vishing"), [(0.0, 0), (0.25, 5), (0.5, 10), (1.0, 20)])
def test_the_share_of_vishing_is_kept_exactly(share: float, vishing: int) -> None:
    calls = generate_calls(20, seed=3, vishing_share=share)
    assert sum(call.label is Label.VISHING for call in calls) == vishing


def test_every_vishing_call_has_its_scenarios_type_and_no_normal_call_has_one() -> None:
    types = {scenario.id: scenario.scam_type for scenario in load_scenarios()}
    for call in CALLS:
        assert call.scam_type is types[scenario_of(call.id)]
        assert (call.scam_type is ScamType.UNKNOWN) == (call.label is Label.NORMAL)
        assert call.source == SOURCE


def test_every_type_of_scam_is_drawn() -> None:
    assert {call.scam_type for call in CALLS} == set(ScamType)


def test_an_excluded_type_is_never_drawn() -> None:
    calls = generate_calls(100, seed=3, exclude_types={ScamType.AGENCY})
    assert ScamType.AGENCY not in {call.scam_type for call in calls}


def test_only_the_kinds_asked_for_are_drawn() -> None:
    calls = generate_calls(20, seed=3, kinds={"loan", "civic"})
    kinds = {scenario.id: scenario.kind for scenario in load_scenarios()}
    assert {kinds[scenario_of(call.id)] for call in calls} == {"loan", "civic"}


def test_the_scenarios_of_a_label_are_drawn_equally_often() -> None:
    vishing = Counter(scenario_of(call.id) for call in generate_calls(400, seed=3, vishing_share=1.0))
    assert max(vishing.values()) - min(vishing.values()) <= 1


def test_two_draws_of_a_scenario_differ_in_more_than_names() -> None:
    scenario = next(scenario for scenario in load_scenarios() if scenario.label is Label.VISHING)
    calls = generate_calls(10, seed=3, vishing_share=1.0, scenarios=[scenario], recogniser_noise=0.0)
    for one, other in pairwise(calls):
        ours, theirs = set(one.transcript.split()), set(other.transcript.split())
        assert len(ours & theirs) / len(ours | theirs) < 0.7


def test_some_recordings_lose_most_short_answers_of_one_side() -> None:
    lines = [Turn(Speaker.CALLER, "통장을 만드신 적이 있으십니까"), Turn(Speaker.CALLED, "그럼요")] * 20
    scenario = Scenario("a", "agency", "a", Label.VISHING, (Stage("all", (tuple(lines),)),))
    calls = generate_calls(200, seed=3, vishing_share=1.0, scenarios=[scenario], recogniser_noise=0.0)
    answers = [call.transcript.split().count("그럼요") / len(call.transcript.split()) for call in calls]
    faint = sum(share < 0.1 for share in answers)  # one word in five or more is an answer elsewhere
    assert 0.05 * len(calls) < faint < 0.3 * len(calls)


def test_some_recognisers_leave_out_hesitations_and_most_write_digits() -> None:
    line = Turn(Speaker.CALLER, "음 통장이 세 개 있습니다")
    scenario = Scenario("a", "agency", "a", Label.VISHING, (Stage("all", ((line,) * 10,)),))
    calls = generate_calls(200, seed=3, vishing_share=1.0, scenarios=[scenario], recogniser_noise=0.0)
    without = sum("음" not in call.transcript.split() for call in calls)
    digits = sum("3개" in call.transcript.split() for call in calls)
    assert without == pytest.approx(0.6 * len(calls), rel=0.2)
    assert digits == pytest.approx(0.8 * len(calls), rel=0.2)


def test_segments_are_in_order_and_last_a_time() -> None:
    for call in CALLS:
        assert all(0 <= segment.start < segment.end for segment in call.segments)
        assert all(earlier.start <= later.start for earlier, later in pairwise(call.segments))


def test_words_come_at_the_pace_of_real_calls() -> None:
    # Real calls: 15 words on average after 10 s (95 % quantile 23), 33 after 20 s (46), 51 after 30 s (69).
    for seconds, mean, quantile in ((10, 15, 23), (20, 33, 46), (30, 51, 69)):
        words = [len(words_until(call, seconds)) for call in CALLS]
        assert statistics.mean(words) == pytest.approx(mean, rel=0.2)
        assert statistics.quantiles(words, n=20)[-1] == pytest.approx(quantile, rel=0.2)


def test_no_slot_or_bracket_is_left_in_a_call() -> None:
    assert not any(set("{}[]<>|#") & set(call.transcript) for call in CALLS)


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_a_share_outside_0_to_1_is_refused(share: float) -> None:
    with pytest.raises(UsageError, match="must be from 0 to 1"):
        generate_calls(10, seed=3, vishing_share=share)
    with pytest.raises(UsageError, match="must be from 0 to 1"):
        generate_calls(10, seed=3, recogniser_noise=share)


def test_a_kind_that_nobody_wrote_is_refused() -> None:
    with pytest.raises(UsageError, match="no vishing scenario"):
        generate_calls(10, seed=3, kinds={"bank"})


@pytest.mark.parametrize("call_id", ["a", "synthetic-1-2", "real-1-00000-civic_fine"])
def test_the_scenario_of_a_real_call_can_not_be_told(call_id: str) -> None:
    with pytest.raises(UsageError, match="not a synthetic call"):
        scenario_of(call_id)
