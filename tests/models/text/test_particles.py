from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.text.particles import Particle, with_particle

SYLLABLES = st.characters(min_codepoint=ord("가"), max_codepoint=ord("힣"))


@pytest.mark.parametrize(
    ("word", "topic", "subject", "object_", "with_", "by"),
    [
        ("은행", "은행은", "은행이", "은행을", "은행과", "은행으로"),
        ("카드사", "카드사는", "카드사가", "카드사를", "카드사와", "카드사로"),
        ("검찰", "검찰은", "검찰이", "검찰을", "검찰과", "검찰로"),
        ("계좌 동결", "계좌 동결은", "계좌 동결이", "계좌 동결을", "계좌 동결과", "계좌 동결로"),
        ("‘통장’", "‘통장’은", "‘통장’이", "‘통장’을", "‘통장’과", "‘통장’으로"),
        ("ㄹ", "ㄹ은", "ㄹ이", "ㄹ을", "ㄹ과", "ㄹ로"),
        ("ㅋㅋ", "ㅋㅋ은", "ㅋㅋ이", "ㅋㅋ을", "ㅋㅋ과", "ㅋㅋ으로"),
    ],
)
def test_every_particle_follows_the_last_sound(
    word: str, topic: str, subject: str, object_: str, with_: str, by: str
) -> None:
    particles = (Particle.TOPIC, Particle.SUBJECT, Particle.OBJECT, Particle.WITH, Particle.BY)
    assert [with_particle(word, particle) for particle in particles] == [topic, subject, object_, with_, by]


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        ("0", "0을"),  # 영
        ("1", "1을"),  # 일
        ("2", "2를"),  # 이
        ("3", "3을"),  # 삼
        ("4", "4를"),  # 사
        ("5", "5를"),  # 오
        ("6", "6을"),  # 육
        ("7", "7을"),  # 칠
        ("8", "8을"),  # 팔
        ("9", "9를"),  # 구
        ("20", "20을"),  # 이십
        ("500", "500을"),  # 오백
        ("3000", "3000을"),  # 삼천
        ("40000", "40000을"),  # 사만
        ("200000000", "200000000을"),  # 이억
        ("2000000000000", "2000000000000를"),  # 이조
        ("112", "112를"),
        ("119", "119를"),
    ],
)
def test_a_number_is_heard_as_it_is_read(number: str, expected: str) -> None:
    assert with_particle(number, Particle.OBJECT) == expected


def test_numbers_that_end_in_il_chil_pal_take_ro() -> None:
    assert [with_particle(digit, Particle.BY) for digit in "178036"] == ["1로", "7로", "8로", "0으로", "3으로", "6으로"]


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("SMS", "SMS를"),  # 에스
        ("URL", "URL을"),  # 엘
        ("OTP", "OTP를"),  # 피
        ("ATM", "ATM을"),  # 엠
        ("USIM", "USIM을"),
        ("app", "app을"),  # 앱
        ("link", "link를"),  # 링크
        ("email", "email을"),  # 이메일
        ("Naver", "Naver를"),  # 네이버
        ("coupon", "coupon을"),  # 쿠폰
        ("banking", "banking을"),  # 뱅킹
        ("google", "google을"),  # 구글
        ("mobile", "mobile을"),  # 모바일
        ("iPhone", "iPhone을"),  # 아이폰
        ("game", "game을"),  # 게임
        ("site", "site를"),  # 사이트
    ],
)
def test_latin_words_are_heard_as_koreans_say_them(word: str, expected: str) -> None:
    assert with_particle(word, Particle.OBJECT) == expected


@given(st.text(SYLLABLES, min_size=1, max_size=6))
def test_syllables_agree_with_unicodes_own_decomposition(word: str) -> None:
    closed = len(unicodedata.normalize("NFD", word[-1])) == 3
    assert with_particle(word, Particle.TOPIC) == word + ("은" if closed else "는")


@given(st.text(max_size=8), st.sampled_from(Particle))
def test_any_text_gets_one_of_the_two_forms(word: str, particle: Particle) -> None:
    assert with_particle(word, particle) in {word + form for form in particle.split("/")}
