"""Korean particles that change with the sound before them: 은/는, 이/가, 을/를, 과/와, 으로/로.

A digit is read as a number is (1,000 is 천), a Latin capital by its Korean name, a Latin word roughly as it is spoken.
"""

from __future__ import annotations

import re
from enum import Enum, StrEnum

_FIRST_SYLLABLE, _LAST_SYLLABLE, _FINALS = ord("가"), ord("힣"), 28
_FINAL_RIEUL = 8
_JAMO_CONSONANTS = "ㄱㄲㄳㄴㄵㄶㄷㄸㄹㄺㄻㄼㄽㄾㄿㅀㅁㅂㅃㅄㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ"
_NUMBER = re.compile(r"[0-9]+$")
_LATIN_STOP = re.compile(r"[aeiou](ck|([bckpt])\2?)$")
_SILENT_E = re.compile(r"(?<=[a-z][lmn])e$")
_SILENT_END = re.compile(r"[^0-9A-Za-z가-힣ㄱ-ㅎㅏ-ㅣ]+$")


class Particle(StrEnum):
    """A pair of forms: after a consonant, after a vowel."""

    TOPIC = "은/는"
    SUBJECT = "이/가"
    OBJECT = "을/를"
    WITH = "과/와"
    BY = "으로/로"


class _Sound(Enum):
    VOWEL = 0
    RIEUL = 1
    CONSONANT = 2


_DIGITS = dict.fromkeys("2459", _Sound.VOWEL) | dict.fromkeys("036", _Sound.CONSONANT)
_DIGITS |= dict.fromkeys("178", _Sound.RIEUL)
_LATIN_NAMES = {"L": _Sound.RIEUL, "R": _Sound.RIEUL, "M": _Sound.CONSONANT, "N": _Sound.CONSONANT}
_LATIN_ENDS = {"l": _Sound.RIEUL, "m": _Sound.CONSONANT, "n": _Sound.CONSONANT}


def with_particle(word: str, particle: Particle) -> str:
    """Return a word with the form of a particle that its last sound asks for.

    Quotation marks and brackets at its end are passed over; a word without any sound is taken to end in a vowel.
    """
    after_consonant, after_vowel = particle.split("/")
    sound = _last_sound(word)
    if particle is Particle.BY and sound is _Sound.RIEUL:
        return word + after_vowel
    return word + (after_vowel if sound is _Sound.VOWEL else after_consonant)


def _last_sound(word: str) -> _Sound:
    spoken = _SILENT_END.sub("", word)
    last = spoken[-1:]
    if "가" <= last <= "힣":
        return _of_syllable(last)
    if number := _NUMBER.search(spoken):
        return _of_number(number.group())
    if last.isascii() and last.isalpha():
        return _of_latin(spoken)
    if last and last in _JAMO_CONSONANTS:
        return _Sound.RIEUL if last == "ㄹ" else _Sound.CONSONANT
    return _Sound.VOWEL


def _of_syllable(syllable: str) -> _Sound:
    final = (ord(syllable) - _FIRST_SYLLABLE) % _FINALS
    if final == _FINAL_RIEUL:
        return _Sound.RIEUL
    return _Sound.CONSONANT if final else _Sound.VOWEL


def _of_number(digits: str) -> _Sound:
    zeros = len(digits) - len(digits.rstrip("0"))
    if zeros == len(digits) or zeros == 0:
        return _DIGITS[digits[-1]]
    # 십, 백, 천, 만 (4 to 7 zeros) and 억 (8 to 11) end in a consonant; 조 (12 to 15) doesn't; 경 does.
    trillions = range(12, 16)
    return _Sound.VOWEL if zeros in trillions else _Sound.CONSONANT


def _of_latin(word: str) -> _Sound:
    if word[-1].isupper():
        return _LATIN_NAMES.get(word[-1], _Sound.VOWEL)
    ending = re.sub(r".*[^A-Za-z]", "", word).lower()
    ending = _SILENT_E.sub("", ending)
    if _LATIN_STOP.search(ending) or ending.endswith("ng"):
        return _Sound.CONSONANT
    return _LATIN_ENDS.get(ending[-1], _Sound.VOWEL)
