"""Near duplicates are found whatever the recogniser did to them, and calls that only share a subject are not."""

from __future__ import annotations

import random

from models.corpus.generator import generate_calls
from models.corpus.grouping import group_calls
from models.corpus.recogniser import misrecognise
from models.corpus.scenario import load_scenarios
from models.domain.call import Call, Label

CALLS = generate_calls(60, seed=21, scenarios=load_scenarios())


def heard_again(call: Call, rate: float) -> Call:
    words = misrecognise(call.transcript.split(), rate, random.Random(call.id))
    return Call(f"again-{call.id}", call.label, text=" ".join(words))


def test_two_transcriptions_of_one_call_fall_into_one_group() -> None:
    groups = group_calls([*CALLS, *(heard_again(call, 0.15) for call in CALLS)])
    assert groups[: len(CALLS)] == groups[len(CALLS) :]


def test_spacing_alone_changes_no_group() -> None:
    call = CALLS[0]
    unspaced = Call("unspaced", call.label, text=call.transcript.replace(" ", ""))
    assert group_calls([call, unspaced]) == [0, 0]


def test_calls_of_different_scenarios_are_kept_apart() -> None:
    one_each = generate_calls(20, seed=22, recogniser_noise=0.0)
    assert len(set(group_calls(one_each))) == 20


def test_groups_are_numbered_in_order_of_appearance() -> None:
    first, second = (
        Call(str(number), Label.NORMAL, text=text) for number, text in enumerate(("가나다라마", "바사아자차"))
    )
    assert group_calls([first, second, first]) == [0, 1, 0]


def test_a_call_links_two_others_that_it_resembles() -> None:
    left, right = "오늘 점심에 뭐 먹었어", "내일 저녁에 어디 갈까"
    texts = (f"{left} {right}", f"{left} {left}", f"{right} {right}")
    groups = group_calls([Call(text, Label.NORMAL, text=text) for text in texts])
    assert groups == [0, 0, 0]


def test_no_calls_and_one_call_have_groups_too() -> None:
    assert group_calls([]) == []
    assert group_calls([Call("a", Label.NORMAL, text="네")]) == [0]


def test_calls_of_a_syllable_are_compared() -> None:
    calls = [Call(str(number), Label.NORMAL, text=text) for number, text in enumerate(("네", "네", "어"))]
    assert group_calls(calls) == [0, 0, 1]
