"""Names of people, where a title, an introduction or what follows them gives them away."""

from __future__ import annotations

import re

from models.corpus.masks import LINE_START, SEAM, Identifier, Masker, one_of, read_identifiers

_TABLE = read_identifiers()["names"]
_NOT_NAMES = frozenset(_TABLE["not_names"])
_NOT_NAME_ENDS = tuple(_TABLE["not_name_ends"])
_LAST_PARTICLE = tuple("이가은는을를도만의와과에로")

_SHORT_NAME = 2

_FINALS = {"ㄴ": 4, "ㅂ": 17}
"""Places of consonants among the 28 that a syllable may end in (Unicode, 3.12, Hangul syllable composition)."""


def _with_final(syllables: list[str], final: str) -> str:
    return "".join(chr(ord(syllable) + _FINALS[final]) for syllable in syllables)


_START = r"(?<![가-힣0-9<])"
_LONG = one_of(_TABLE["long_surnames"])
_GIVEN = f"[{_TABLE['given']}]"
_FULL = rf"(?:(?:{_LONG}){_GIVEN}{{1,2}}|[{_TABLE['surnames']}]{_GIVEN}{{2}})"
_SHORT = rf"[{_TABLE['surnames']}]{_GIVEN}"
_NAMED = rf"(?:{one_of(_TABLE['named'])})"
_PARTICLE = rf"(?:{one_of(_TABLE['particles'])}|{_NAMED})"
_GAP = rf"[\s{SEAM}]{{1,2}}"
_ADDRESSED = rf"(?:씨|님)(?:{_PARTICLE}|이?시?죠)?요?(?![가-힣])"
_TITLE = rf"(?:{one_of(_TABLE['titles_after'])})"
_BEFORE = one_of(_TABLE["titles_before"])
_BEFORE_OWN = one_of([*_TABLE["titles_before"], *_TABLE["introductions"]])

# Names whose last vowel an ending joins: 김철숩니다, 김철순데요. Not 이 and 하, in which verbs end: 신고합니다.
_OPEN = [syllable for syllable in _TABLE["given"] if syllable not in "이하" and not (ord(syllable) - ord("가")) % 28]
_JOINED = (
    rf"[{_TABLE['surnames']}]{_GIVEN}"
    rf"(?:[{_with_final(_OPEN, 'ㅂ')}](?=니다)|[{_with_final(_OPEN, 'ㄴ')}](?=데요?(?![가-힣])))"
)

_PATTERNS = tuple(
    re.compile(pattern)
    for pattern in (
        rf"({LINE_START}[ \t]*)({_FULL})(?=\s?[:>])",
        rf"({_START}(?:{_BEFORE_OWN}){_GAP})({_JOINED})",
        rf"()({_START}{_FULL})(?=(?:{_GAP})?(?:{_TITLE}|{_ADDRESSED}))",
        rf"()({_START}{_SHORT})(?=(?:{_GAP})?(?:{_TITLE}님?{_PARTICLE}?(?![가-힣])|{_ADDRESSED}))",
        rf"({_START}(?:{_BEFORE}){_GAP})({_FULL})(?={_PARTICLE}?(?![가-힣]))",
        rf"({_START}(?:{_BEFORE_OWN}){_GAP})({_SHORT})(?={_NAMED})",
        rf"()({_START}{_FULL})(?<![하해])(?={_NAMED}(?![가-힣]))",
        rf"()({_START}{_FULL})(?<![{_TABLE['verb_ends']}])(?=(?:{one_of(_TABLE['named_weakly'])})(?![가-힣]))",
    )
)
_RARE = rf"[{_TABLE['surnames']}][가-힣]{{2}}"
# A recogniser's spacing: 김 철수 고객님, 김 민 수 씨.
_SPACED = rf"[{_TABLE['surnames']}]\s{_GIVEN}\s?{_GIVEN}"
_LATIN = r"[A-Za-z]{2,20}(?:\s[A-Za-z]{2,20}){0,2}"
_UNCERTAIN = (
    re.compile(rf"{_START}({_RARE})(?={_GAP}님(?![가-힣])|(?:이라고|라고)(?![가-힣]))"),
    re.compile(rf"{_START}([가-힣]{{2,6}})(?=\s씨(?![가-힣]))"),
    re.compile(rf"{_START}({_SPACED})(?=\s?(?:{_TITLE}|{_ADDRESSED}|{_NAMED}))"),
    re.compile(rf"(?<![A-Za-z])({_LATIN})(?=\s?(?:씨|님|고객)(?![A-Za-z]))"),
    re.compile(rf"{_START}({_JOINED})"),
    # Somebody answers with a name alone, or spells it: 김 철 자 수 자요.
    re.compile(rf"^(?:네|예|아|어)?\s?({_FULL})$"),
    re.compile(rf"{_START}([{_TABLE['surnames']}]\s?{_GIVEN}\s?자\s?{_GIVEN}\s?자)"),
)


def mask_names(text: str, masker: Masker) -> str:
    """Mask names before titles (홍길동 고객님), after titles (검사 홍길동) and where they are given (홍길동입니다).

    A name is a Korean surname and one or two syllables that given names are made of, and no common word. A given name
    alone (길동아), a foreign name and a full name without such company are not found.
    """
    for pattern in _PATTERNS:
        # A full name that was given once is taken out wherever it stands.
        known = {found[2] for found in pattern.finditer(text) if len(found[2]) > _SHORT_NAME and _may_be_name(found[2])}
        text = pattern.sub(lambda found: found[1] + _masked(found[2], masker), text)
        for name in sorted(known):
            text = re.sub(_START + name, lambda found: masker.mask(Identifier.NAME, found[0]), text)
    return text


def uncertain_names(text: str) -> list[tuple[int, int]]:
    """Return where words stand with a surname and the company of a name, and rare syllables or spaces within."""
    found = (match for pattern in _UNCERTAIN for match in pattern.finditer(text))
    return [match.span(1) for match in found if _may_be_name("".join(match[1].split()))]


def _masked(name: str, masker: Masker) -> str:
    return masker.mask(Identifier.NAME, name) if _may_be_name(name) else name


def _may_be_name(word: str) -> bool:
    if len(word) == _SHORT_NAME and word.endswith(_LAST_PARTICLE):
        return False  # 원이, 전은: a noun and its particle far more often than a name
    bare = word[:-1] if word.endswith(_LAST_PARTICLE) else word
    return not {word, bare} & _NOT_NAMES and not word.endswith(_NOT_NAME_ENDS)
