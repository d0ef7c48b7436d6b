"""What a transcriber wrote beside the words: speakers, times, remarks, marks; and names that were taken out before."""

from __future__ import annotations

import re

from models.corpus.masks import LINE_START, Identifier, Masker, one_of, read_identifiers

_TABLE = read_identifiers()["transcriber"]
_NAMES = read_identifiers()["names"]

_REMARK = one_of(_TABLE["remarks"])
_SPEAKER = rf"(?:{one_of(_TABLE['speakers'])}|(?:{'|'.join(_TABLE['latin_speakers'])}))[\s_]?(?:\d{{0,2}}|[A-Z])"
_TIME = r"\d{1,2}:\d\d(?::\d\d)?(?:[.,]\d{1,3})?"

_SPOKEN_TWICE = re.compile(r"\(([^()]{1,40})\)/\(([^()]{1,40})\)")
_REMOVED = tuple(
    re.compile(pattern)
    for pattern in (
        rf"[\[(<]\s?{_TIME}(?:\s?[-~–]\s?{_TIME})?\s?[\])>]",
        rf"{LINE_START}[ \t]*\d\d:\d\d(?::\d\d)?(?:[.,]\d{{1,3}})?(?=\s)",
        rf"{LINE_START}[ \t]*(?:[\[<]\s?{_SPEAKER}\s?[\]>]|{_SPEAKER}\s?[:>])",
        rf"[\[({{<]\s?(?:\d{{1,3}}초\s)?(?:{_REMARK})(?:\s\d{{1,3}}초)?\s?[\])}}>]",
        # A run of brackets is tried from its first one only, else a long run takes time in its square.
        r"(?<!\()(?:\({2,}[^()]{0,40}\){2,}|\(+\s*\)+)",
        r"(?<![A-Za-z])[bnlou]/(?=\s|$|[가-힣])",
        r"(?<![0-9*])\*(?![0-9*])|(?<=[가-힣])\+|\+(?=[가-힣])",
    )
)

_SHAPES = "O○◯〇△□◇●"
_SURNAME = rf"(?<![가-힣A-Za-z])(?:{one_of(_NAMES['long_surnames'])}|[{_NAMES['surnames']}])"
# Before single stars go as marks: 홍*동. An older transcriber's 이*거 has no company of a name.
_STARRED_NAME = re.compile(rf"{_SURNAME}\*[가-힣](?=\s?(?:{one_of(_NAMES['titles_after'])}|씨|님))")
_TAKEN_OUT = rf"(?:[{_SHAPES}]{{1,4}}|(?<![0-9])0{{2,4}}(?![0-9])|[Xx×]{{2,4}}|ㅇ{{2,4}}|\*{{2,4}})"
_HALF_NAME = re.compile(rf"{_SURNAME}(?:{_TAKEN_OUT}[가-힣]?)(?![A-Za-z0-9])")
_ALONE = re.compile(
    rf"(?<![A-Za-z0-9])(?:[{_SHAPES}]{{2,}}|[Xx×]{{2,}}|ㅇ{{2,}}|\*{{2,}})(?![A-Za-z0-9])|&[\w-]+&|#@?[\w-]+#"
    rf"|[\[({{]\s?(?:{one_of(_TABLE['taken_out'])})\s?\d{{0,2}}\s?[\])}}]"
)


def remove_marks(text: str, masker: Masker) -> str:
    """Take out speakers' names before a colon, times, remarks in brackets and single signs that transcribers set.

    Of a word written in two ways, (3%)/(삼 프로), the second stays: it is what was said. A name with a star in it is
    masked.
    """
    text = _STARRED_NAME.sub(masker.masking(Identifier.NAME), text)
    text = _SPOKEN_TWICE.sub(lambda found: found[2], text)
    for pattern in _REMOVED:
        text = pattern.sub(lambda found: masker.remove(found[0]), text)
    return text


def mask_what_was_taken_out(text: str, masker: Masker) -> str:
    """Mask names that somebody made unreadable before (김OO, ○○은행), so that all masks look alike."""
    text = _HALF_NAME.sub(masker.masking(Identifier.NAME), text)
    return _ALONE.sub(masker.masking(Identifier.ANONYMOUS), text)
