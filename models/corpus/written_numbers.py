"""How a recogniser writes numbers: as digits what is said in words, or the other way round."""

from __future__ import annotations

import re

from models.corpus.speech import read_speech

_TABLES = read_speech()["numbers"]
_DIGITS = dict(zip("공일이삼사오육칠팔구", "0123456789", strict=True))
_WORDS = {digit: word for word, digit in _DIGITS.items()}
_VALUES = {"십": 10, "백": 100, "천": 1000}
_ENDS = rf"(?:{'|'.join(_TABLES['after_counters'])})?(?![가-힣])"
"""The end of a word, with a particle or without: 사원증 is no number."""

_SINO = "[일이삼사오육칠팔구십백천]+"
_COUNTED = re.compile(
    rf"(?<![가-힣])({_SINO})"
    rf"(?=[만억](?:\s?{_SINO})?\s?원|[만억]\s?[일이삼사오육칠팔구십백천]*만\s?원"
    rf"|(?<=[가-힣]{{2}})\s?원{_ENDS}|\s원{_ENDS}|\s점\s|\s?퍼센트|\s개월)"
)
_UNITS = "|".join(_TABLES["units"])
_MEASURED = re.compile(rf"(?<![가-힣])({_SINO[:-1]}{{2,}}|[삼오육칠팔구십백천])\s({_UNITS})(?={_ENDS})")
"""이, 일 and 사 alone are words of their own (이 분 is this person), so they stay."""

_MONTHS = {"유": 6, "시": 10}
_MONTH_AND_DAY = re.compile(rf"(?<![가-힣])({_SINO}|유|시)월\s({_SINO})일")
_NATIVE = {
    **dict(zip(("한", "두", "세", "네", "다섯", "여섯", "일곱", "여덟", "아홉", "열"), range(1, 11), strict=True)),
    "열한": 11,
    "열두": 12,
}
_COUNTERS: tuple[str, ...] = tuple(_TABLES["counters"])
_COUNTED_ONES = re.compile(
    rf"(?<![가-힣])({'|'.join(sorted(_NATIVE, key=len, reverse=True))})\s({'|'.join(_COUNTERS)})"
    rf"(?={_ENDS})"
)
_DIGIT_RUN = re.compile(r"\d")


def write_numbers_as_digits(text: str) -> str:
    """Return a turn with counted numbers as digits, as recognisers write them.

    삼천만 원 becomes 3천만 원, 유월 삼일 6월 3일, and what is counted stands with its number: 세 번 becomes 3번,
    십 분 10분.
    """
    dated = _MONTH_AND_DAY.sub(lambda found: f"{_month(found[1])}월 {_value_of(found[2])}일", text)
    counted = _COUNTED_ONES.sub(lambda found: f"{_NATIVE[found[1]]}{found[2]}", dated)
    measured = _MEASURED.sub(lambda found: f"{_value_of(found[1])}{found[2]}", counted)
    return _COUNTED.sub(lambda found: _as_digits(found[1]), measured)


def _month(spoken: str) -> int:
    return _MONTHS.get(spoken) or _value_of(spoken)


def _as_digits(spoken: str) -> str:
    value = _value_of(spoken)
    return f"{value // 1000}천" if value >= 1000 and value % 1000 == 0 else str(value)


def _value_of(spoken: str) -> int:
    """Return the value of a number below 10,000 that is spoken in Sino-Korean (천이백 is 1200)."""
    total, digit = 0, 0
    for syllable in spoken:
        if syllable in _VALUES:
            total += max(digit, 1) * _VALUES[syllable]
            digit = 0
        else:
            digit = int(_DIGITS[syllable])
    return total + digit


def write_digits_as_words(text: str) -> str:
    """Return a turn with digits read out one by one: 010 becomes 공일공."""
    return _DIGIT_RUN.sub(lambda found: _WORDS[found[0]], text)
