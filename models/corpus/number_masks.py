"""Resident registration, card, account and phone numbers, in digits, read out in Korean, or in both."""

from __future__ import annotations

import re

from models.corpus.masks import SEAM, Identifier, Masker, one_of, read_identifiers

LONGEST_LEFT = 6
"""Digits in a row that stay in a masked text, whatever stands between them; amounts of money may be longer."""

_TABLE = read_identifiers()["numbers"]
_COUNTED: list[str] = _TABLE["counted"]
_VALUES = dict(zip("공영일이삼사오육륙칠팔구", "001234566789", strict=True)) | {
    word: str(value) for value, word in enumerate(_COUNTED, start=1)
}

# x and stars stand for digits that somebody hid: 940101-1******.
_DIGITS = r"(?:[0-9]|(?<=[0-9\-*●×])[*●×]|(?<=[0-9\-*xX])[xX](?![A-WYZa-wyz]))+"
_SIGNS = rf"(?:[{_TABLE['syllables']}]|{one_of(_COUNTED)})"
_ENDS = rf"(?=$|[^가-힣]|(?:{one_of(_TABLE['endings'])})(?![가-힣])|(?:{one_of(_TABLE['joints'])}))"
# A mask may be followed by 이고요, which is no two.
_READ_OUT = rf"(?<![가-힣0-9])(?<![가-힣]>){_SIGNS}+{_ENDS}"
_SAID_BETWEEN = rf"(?<![가-힣])(?:{one_of(_TABLE['words_between'])})(?![가-힣])"
_ENDS_PART = rf"(?<=[0-9{''.join(word[-1] for word in _VALUES)}])(?:{one_of(_TABLE['after_parts'])})(?![가-힣])"
# As many separators as there are count as one; possessive, so that no way of cutting them up is tried again.
_SEPARATORS = rf"[\s\-‐‑‒–—−ㅡ.,…·/_()\[\]+~{SEAM}]++"
_BETWEEN = rf"(?:{_SEPARATORS}|{one_of(_TABLE['joints'])}|{_ENDS_PART}|{_SAID_BETWEEN})"
_PART = rf"(?:{_DIGITS}|{_READ_OUT})"
_AFTER_JOINT = rf"(?:{_DIGITS}|(?<=에|시|의|픈){_SIGNS}+{_ENDS}|{_READ_OUT})"
_NUMBER = re.compile(rf"{_PART}(?:{_BETWEEN}{{0,8}}{_AFTER_JOINT})*")

_SIGN = re.compile(rf"[0-9*●×xX]|{one_of([*_VALUES])}")
# Recognisers write 30 45,210원 for 삼십 만 사만 오천..., and people say 2000~3000만 원.
_AMOUNT = re.compile(r"\d{1,3}(?:,\d{3})+|\d{1,9}|[1-9]\d{0,2}\s\d{1,3}(?:,\d{3}|\d{0,3})")
_AMOUNT_IN_LARGE_UNITS = re.compile(r"[\d,]{1,6}|[1-9]\d{0,3}\s?~\s?[1-9]\d{0,3}")
_ONTO_MONEY = rf"(?:{one_of(_TABLE['after_money'])})?(?![가-힣])"
# A unit is a word of its own, or 원 written onto its number: 1234567 불러 주세요 and 1234567 원래 hold no money.
_UNIT = re.compile(rf"원(?![래인칙본])|\s?(?:원|달러|불|엔|위안|유로){_ONTO_MONEY}")
_LARGE_UNIT = re.compile(rf"\s?[천만억]+(?:{_ONTO_MONEY}|\s?원)")
_DATE = re.compile(r"(?:19|20)\d\d[-./]\s?(?:0?[1-9]|1[0-2])[-./]\s?(?:0?[1-9]|[12]\d|3[01])\.?")

_YEAR = re.compile(r"(?:19|20)\d\d\s?년")
_FEWEST_TO_CHECK = 4

_SHAPES = (
    (Identifier.RESIDENT, re.compile(r"\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])[1-8](?:[\d*]{6})?")),
    (Identifier.PHONE, re.compile(r"(?:(?:82|0)?1[016-9]|0(?:2|[3-6][1-5]|[78]0|50\d))[\d*]{7,8}|1[568]\d\d[\d*]{4}")),
    (Identifier.CARD, re.compile(r"[\d*]{15,16}")),
    (Identifier.ACCOUNT, re.compile(r"[\d*]{10,14}")),
)
_OF_FIXED_LENGTH = (Identifier.RESIDENT, Identifier.PHONE, Identifier.CARD)


def mask_numbers(text: str, masker: Masker) -> str:
    """Mask every number of more than ``LONGEST_LEFT`` digits: in digits with any separators, read out, or mixed.

    Words of assent between two parts (공일공 네 일이삼사) and the first one's ending (공일공요 일이삼사) belong to it.
    The kind is told from the digits alone, so it is a good guess and no more. Amounts (3,000,000원) and dates
    (2024-03-15) stay.
    """
    return _NUMBER.sub(lambda found: _masked(found, text, masker), text)


def numbers_to_check(text: str) -> list[tuple[int, int]]:
    """Return where numbers of four digits or more stayed that are no amount and no year: for a person to look at."""
    return [found.span() for found in _NUMBER.finditer(text) if _is_to_check(found, text)]


def _is_to_check(found: re.Match[str], text: str) -> bool:
    if len(_digits_of(found[0])) < _FEWEST_TO_CHECK:
        return False
    after = text[found.end() :]
    return not (_is_amount(found[0], after) or _YEAR.match(text, found.start()) or _DATE.fullmatch(found[0]))


def _masked(found: re.Match[str], text: str, masker: Masker) -> str:
    number = found[0]
    digits = _digits_of(number)
    if len(digits) <= LONGEST_LEFT or _is_amount(number, text[found.end() :]) or _DATE.fullmatch(number):
        return number
    if number.endswith("이") and _kind_of(digits[:-1]) in _OF_FIXED_LENGTH and _kind_of(digits) not in _OF_FIXED_LENGTH:
        return masker.mask(_kind_of(digits[:-1]), number) + "이"  # the particle of 오육칠팔이요, not a two
    return masker.mask(_kind_of(digits), number)


def _digits_of(number: str) -> str:
    """Return the digits of a number, a star for each that was hidden."""
    return "".join(_VALUES.get(sign, "*" if sign in "●×xX" else sign) for sign in _SIGN.findall(number))


def _is_amount(number: str, after: str) -> bool:
    if _LARGE_UNIT.match(after):
        return _AMOUNT_IN_LARGE_UNITS.fullmatch(number) is not None
    return bool(_UNIT.match(after) and _AMOUNT.fullmatch(number))


def _kind_of(digits: str) -> Identifier:
    return next((kind for kind, shape in _SHAPES if shape.fullmatch(digits)), Identifier.NUMBER)
