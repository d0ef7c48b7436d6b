"""What is added to an authored line leaves what was said in place."""

from __future__ import annotations

import random

from models.corpus.scenario import Speaker, Turn
from models.corpus.spoken import speak

LONG = Turn(Speaker.CALLER, " ".join(f"말{number}" for number in range(60)))
POLITE, CASUAL = Turn(Speaker.CALLED, "네 그런데요"), Turn(Speaker.CALLED, "응 그래")


def words_of(turns: list[Turn]) -> list[str]:
    return [word for turn in turns for word in turn.text.split()]


def test_every_word_that_was_written_is_said_in_order() -> None:
    for seed in range(30):
        said = words_of(speak([LONG, POLITE], random.Random(seed), filler_rate=0.2, dialect_chance=0.0))
        remaining = iter(said)
        assert all(word in remaining for word in words_of([LONG, POLITE]))
        assert len(said) > len(words_of([LONG, POLITE]))


def test_speakers_have_fillers_of_their_own_and_none_before_the_last_word() -> None:
    (said,) = speak([Turn(Speaker.CALLER, "말1 말2 말3 말4")], random.Random(3), filler_rate=1.0, dialect_chance=0.0)
    assert said.text.split()[-2:] == ["말3", "말4"]
    turns = speak([LONG], random.Random(5), filler_rate=0.5, dialect_chance=0.0)
    fillers = {
        word for turn in turns if turn.speaker is Speaker.CALLER for word in turn.text.split() if "말" not in word
    }
    assert 1 <= len(fillers) <= 4


def test_no_filler_parts_a_word_of_one_syllable_from_its_neighbours() -> None:
    turn = Turn(Speaker.CALLED, "그러면 세 시 반 지나서 오세요")
    for seed in range(40):
        (said,) = speak([turn], random.Random(seed), filler_rate=1.0, dialect_chance=0.0)
        assert set(said.text.split()) == set(turn.text.split())  # words said again, but no filler


def test_speakers_say_two_words_again_and_go_on() -> None:
    turn = Turn(Speaker.CALLED, "본인 명의로 통장을 만드신 적이")
    said = {speak([turn], random.Random(seed), filler_rate=0.5, dialect_chance=0.0)[0].text for seed in range(400)}
    assert any("본인 명의로 통장을 명의로 통장을 만드신" in text for text in said)
    assert not any(text.endswith("적이 적이") for text in said)


def test_no_filler_stands_before_an_answer() -> None:
    for seed in range(20):
        (said,) = speak([POLITE], random.Random(seed), filler_rate=1.0, dialect_chance=0.0)
        assert said.text.startswith("네")


def test_the_listener_breaks_into_a_long_turn_in_the_register_of_the_call() -> None:
    def interruptions(listener: Turn) -> set[str]:
        runs = [speak([LONG, listener], random.Random(seed), filler_rate=0.0, dialect_chance=0.0) for seed in range(60)]
        return {turn.text for run in runs for turn in run[:-1] if turn.speaker is Speaker.CALLED}

    assert "네" in interruptions(POLITE)
    assert "응" not in interruptions(POLITE)
    assert "응" in interruptions(CASUAL)
    assert "네" not in interruptions(CASUAL)


def test_the_listener_waits_for_the_end_of_a_clause() -> None:
    turn = Turn(Speaker.CALLER, f"{'말씀을 ' * 9}드렸고요 {'말씀을 ' * 9}드립니다")
    for seed in range(40):
        first, *_ = speak([turn, POLITE], random.Random(seed), filler_rate=0.0, dialect_chance=0.0)
        assert first == turn or first.text.endswith("드렸고요")


def test_a_short_turn_is_never_broken_into() -> None:
    for seed in range(20):
        assert speak([POLITE], random.Random(seed), filler_rate=0.0, dialect_chance=0.0) == [POLITE]


def test_only_the_called_person_speaks_a_dialect() -> None:
    caller, called = Turn(Speaker.CALLER, "그런데 없어요"), Turn(Speaker.CALLED, "그런데 없어요")
    heard = {
        tuple(turn.text for turn in speak([caller, called], random.Random(seed), filler_rate=0.0, dialect_chance=1.0))
        for seed in range(60)
    }
    assert {first for first, _ in heard} == {"그런데 없어요"}
    assert {"그런데 없어예", "근디 없어라", "그런데 없어유"} <= {second for _, second in heard}
