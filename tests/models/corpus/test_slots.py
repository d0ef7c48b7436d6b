"""Slots are filled once a call, and particles agree with what fills them."""

from __future__ import annotations

import random

import pytest

from models.corpus.slots import agreeing_particle, draw_joined, draw_slots, fill, slots_in


@pytest.mark.parametrize(
    ("word", "particle", "expected"),
    [
        ("국민은행", "가", "이"), ("국민카드", "이", "가"), ("서울", "으로", "로"),
        ("부산", "로", "으로"), ("대구", "은", "는"),
        ("김민수", "이라고", "라고"), ("이정훈", "라고", "이라고"), ("정다은", "였습니다", "이었습니다"),
        ("02", "은", "은"),
    ],
)  # fmt: skip
def test_a_particle_takes_the_form_that_its_word_asks_for(word: str, particle: str, expected: str) -> None:
    assert agreeing_particle(word, particle) == expected


def test_a_particle_after_a_slot_agrees_and_a_longer_word_is_left_alone() -> None:
    filled = fill("{bank}가 아니라 {bank}이요 {bank}인데", {"bank": "국민은행"}, random.Random(1))
    assert filled == "국민은행이 아니라 국민은행이요 국민은행인데"


def test_a_particle_after_alternatives_agrees_with_the_one_that_is_said() -> None:
    said = {fill("[카드|{bank}|그냥 통장]가 있어요", {"bank": "국민은행"}, random.Random(seed)) for seed in range(50)}
    assert said == {"카드가 있어요", "국민은행이 있어요", "그냥 통장이 있어요"}


def test_a_particle_that_is_itself_an_alternative_agrees() -> None:
    said = {fill("{caller_name}[이고|으로 돼]", {"caller_name": "김민수"}, random.Random(seed)) for seed in range(20)}
    assert said == {"김민수고", "김민수로 돼"}


def test_a_slot_keeps_its_value_within_a_call() -> None:
    values = draw_slots({"account_number": ["### ##"]}, random.Random(1))
    first = fill("{account_number}", values, random.Random(1))
    assert first == fill("{account_number}", values, random.Random(2))
    assert first.replace(" ", "").isdigit()


def test_one_of_the_alternatives_is_said_and_nothing_is_one_of_them() -> None:
    said = {fill("[네|예|] 맞아요", {}, random.Random(seed)) for seed in range(50)}
    assert said == {"네 맞아요", "예 맞아요", "맞아요"}


def test_words_that_have_been_said_are_said_again_more_often() -> None:
    def share_of(said: set[str]) -> float:
        drawn = [fill("[통장을|계좌를]", {}, random.Random(seed), said) for seed in range(600)]
        return drawn.count("통장을") / len(drawn)

    assert share_of(set()) == pytest.approx(0.5, abs=0.07)
    assert share_of({"통장을", "지금"}) == pytest.approx(9 / 10, abs=0.05)  # weights 9 and 1


def test_joined_alternatives_of_an_exchange_are_said_together() -> None:
    turns = ["<몇 살이세요|어디 사세요>", "네 <서른이요|{city}이요> <|거기요>"]
    drawn = {tuple(draw_joined(turns, random.Random(seed))) for seed in range(30)}
    assert drawn == {("[몇 살이세요]", "네 [서른이요] []"), ("[어디 사세요]", "네 [{city}이요] [거기요]")}


def test_a_particle_after_joined_alternatives_agrees() -> None:
    drawn = {draw_joined(["<카드|{bank}>가 있어요"], random.Random(seed))[0] for seed in range(20)}
    said = {fill(text, {"bank": "국민은행"}, random.Random(1)) for text in drawn}
    assert said == {"카드가 있어요", "국민은행이 있어요"}


def test_an_exchange_without_joined_alternatives_draws_nothing() -> None:
    rng = random.Random(1)
    assert draw_joined(["[네|예]"], rng) == ["[네|예]"]
    assert rng.random() == random.Random(1).random()


def test_the_slots_of_a_turn_are_found() -> None:
    assert slots_in("{bank}에서 [{amount}|그냥]") == {"bank", "amount"}
