"""Numbers change their writing, not their value, and words that only look like numbers stay."""

from __future__ import annotations

import pytest

from models.corpus.written_numbers import write_digits_as_words, write_numbers_as_digits


@pytest.mark.parametrize(
    ("said", "written"),
    [
        ("삼천만 원", "3천만 원"),
        ("천오백만 원을", "1500만 원을"),
        ("이만 삼천오백 원", "2만 3500 원"),
        ("일억 이천만 원", "1억 2천만 원"),
        ("이십 퍼센트", "20 퍼센트"),
        ("오 점 오 퍼센트", "5 점 5 퍼센트"),
        ("육 개월", "6 개월"),
        ("유월 삼일에 시월 이십칠일까지", "6월 3일에 10월 27일까지"),
        ("두 시에 세 번째로 열두 명이 한 달", "2시에 3번째로 12명이 1달"),
        ("십 분 이상 이십사 년 삼십오 세", "10분 이상 24년 35세"),
        ("네 번호 불러 주세요 네 개인정보요", "네 번호 불러 주세요 네 개인정보요"),
        ("이 분이 사 년 만에 사원증을 사원 한테", "이 분이 사 년 만에 사원증을 사원 한테"),
        ("아시는 분이십니까 이 사람이 일을 이만 끊겠습니다", "아시는 분이십니까 이 사람이 일을 이만 끊겠습니다"),
    ],
)
def test_counted_numbers_become_digits_and_particles_do_not(said: str, written: str) -> None:
    assert write_numbers_as_digits(said) == written


def test_digits_are_read_out_one_by_one() -> None:
    assert write_digits_as_words("010 1234 5678") == "공일공 일이삼사 오육칠팔"
