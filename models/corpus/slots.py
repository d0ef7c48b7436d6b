"""What stands in the slots of a scenario: names, banks, amounts, dates, numbers."""

from __future__ import annotations

import random
import re
from collections.abc import Collection, Iterable, Mapping, Sequence

SLOTS_FILE = "slots.toml"

_SLOT = re.compile(r"\{([a-z_]+)\}")
_PAIRS = (
    ("은", "는"),
    ("이", "가"),
    ("을", "를"),
    ("과", "와"),
    ("으로", "로"),
    ("이라고", "라고"),
    ("이라는", "라는"),
    ("이라서", "라서"),
    ("이라든지", "라든지"),
    ("이랑", "랑"),
    ("이나", "나"),
    ("이고", "고"),
    ("이에요", "예요"),
    ("이요", "요"),
    ("으로요", "로요"),
    ("이었고요", "였고요"),
    ("이었습니다", "였습니다"),
)
_PARTICLE_FORMS = {form: pair for pair in _PAIRS for form in pair}
"""A particle's form after a consonant and after a vowel, under either form."""

_SLOT_END, _CHOICE_END = "\ue000", "\ue001"
"""Private-use characters that mark, while a turn is filled, where a particle may have to agree."""

# 고 and 나 after alternatives are endings of verbs, not particles.
_AFTER_CHOICE = ("이라고", "라고", "으로", "은", "는", "이", "가", "을", "를", "과", "와", "로")
_ALTERNATIVES = re.compile(r"\[([^\[\]]*)\]")
_JOINED = re.compile(r"<([^<>]*)>")
_MARKED = re.compile(
    rf"(\S)(?:{_SLOT_END}({'|'.join(sorted(_PARTICLE_FORMS, key=len, reverse=True))})(?![가-힣])"
    rf"|{_CHOICE_END}({'|'.join(_AFTER_CHOICE)})(?![가-힣]))"
)
_MARKS = re.compile(f"[{_SLOT_END}{_CHOICE_END}]")

_ALIGNMENT = 8.0
"""An alternative whose words have all been said is drawn this many times more often on top."""

_FIRST_SYLLABLE, _LAST_SYLLABLE, _FINALS, _FINAL_L = 0xAC00, 0xD7A3, 28, 8


def slots_in(text: str) -> set[str]:
    """Return the names of the slots that a turn uses."""
    return set(_SLOT.findall(text))


def joined_in(texts: Iterable[str]) -> set[int]:
    """Return how many joined alternatives the turns of an exchange hold: one number, or none, where they fit."""
    return {len(found[1].split("|")) for text in texts for found in _JOINED.finditer(text)}


def draw_joined(texts: Sequence[str], rng: random.Random) -> list[str]:
    """Draw one place for a whole exchange; each ``<네|아니요>`` of its turns becomes ``[아니요]``, what stands there.

    So an answer fits its question: "<몇 살이세요|어디 사세요>" and then "<서른이요|서울이요>".
    """
    counts = joined_in(texts)
    if not counts:
        return list(texts)
    place = rng.randrange(min(counts))
    return [_JOINED.sub(lambda found: f"[{found[1].split('|')[place]}]", text) for text in texts]


def draw_slots(values: Mapping[str, Sequence[str]], rng: random.Random) -> dict[str, str]:
    """Draw one value for every slot. ``#`` in a value becomes a digit, so that no two calls share an account."""
    return {name: _with_digits(rng.choice(choices), rng) for name, choices in values.items()}


def fill(text: str, values: Mapping[str, str], rng: random.Random, said: Collection[str] = ()) -> str:
    """Return a turn as it is said: one of each ``[네|예]`` drawn, every slot filled, particles made to agree.

    Alternatives in words of ``said`` are drawn more often: people who talk with one another say again what has been
    said (lexical alignment: Pickering and Garrod, Behavioral and Brain Sciences 27, 2004).
    """
    filled = _SLOT.sub(lambda found: values[found[1]] + _SLOT_END, text)
    chosen = _ALTERNATIVES.sub(lambda found: _draw(found[1].split("|"), said, rng) + _CHOICE_END, filled)
    # A slot that ends an alternative is marked twice; the slot's mark knows more particles.
    marked = re.sub(f"{_SLOT_END}{_CHOICE_END}+", _SLOT_END, chosen)
    agreed = _MARKED.sub(lambda found: found[1] + agreeing_particle(found[1], found[2] or found[3]), marked)
    return " ".join(_MARKS.sub("", agreed).split())


def _draw(alternatives: Sequence[str], said: Collection[str], rng: random.Random) -> str:
    return rng.choices(alternatives, [1.0 + _ALIGNMENT * _share_said(each, said) for each in alternatives])[0]


def _share_said(alternative: str, said: Collection[str]) -> float:
    words = alternative.split()
    return sum(word in said for word in words) / max(1, len(words))


def agreeing_particle(word: str, particle: str) -> str:
    """Return the form of a particle that follows the last syllable of ``word`` (은 or 는, 이 or 가, ...)."""
    after_consonant, after_vowel = _PARTICLE_FORMS[particle]
    last = ord(word[-1])
    if not _FIRST_SYLLABLE <= last <= _LAST_SYLLABLE:
        return particle
    final = (last - _FIRST_SYLLABLE) % _FINALS
    # 로 follows a vowel and also the consonant ㄹ (서울로).
    consonant = final not in (0, _FINAL_L) if after_vowel == "로" else final != 0
    return after_consonant if consonant else after_vowel


def _with_digits(value: str, rng: random.Random) -> str:
    return re.sub("#", lambda _: str(rng.randrange(10)), value)
