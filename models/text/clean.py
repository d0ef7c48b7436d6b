"""From a transcript to plain words: what recognisers, transcribers and de-identifiers left is taken out."""

from __future__ import annotations

import re
import unicodedata

_TRANSCRIBER_MARKS = re.compile(r"(?<![A-Za-z])[bnlou]/|/|\*|\+|\(\(.*?\)\)")
_DE_IDENTIFIED = re.compile(r"(?<![A-Za-z])(?:[O○◯]{2,}|[Xx×]{2,})(?![A-Za-z])|&[\w-]+&|#[\w-]+#|<[가-힣]{2,5}>")
_BETWEEN_DIGITS = r"[-,.:/~ ]"
_ZEROS_FOR_NAMES = re.compile(
    rf"(?<![0-9A-Za-z])(?<![0-9]{_BETWEEN_DIGITS})"
    rf"0{{2,}}(?:{_BETWEEN_DIGITS}0{{2,}})*"
    rf"(?![0-9A-Za-z]|{_BETWEEN_DIGITS}[0-9])"
)
"""Zeros alone stand for a name (00은행, 김00, 000-0000); those of a number do not (100, 2,000, 010-0000-1234)."""
_NOT_WORD = re.compile(r"[^0-9A-Za-z가-힣ㄱ-ㅎㅏ-ㅣ\s]+")
_RULES = (
    (re.compile("[O○◯Xx×&#<]"), _DE_IDENTIFIED),
    (re.compile("00"), _ZEROS_FOR_NAMES),
    (re.compile(r"[/*+]|\(\("), _TRANSCRIBER_MARKS),
)
"""What must stand somewhere in a text for a rule to apply, and the rule: looking for it costs far less."""


def clean_text(text: str) -> str:
    """Return the spoken words of a transcript, separated by single spaces.

    Removes what stands for de-identified names and numbers (OOO, 00은행, <이름>), transcriber's marks (``b/``, ``*``,
    ``+``) and everything that is neither letter nor digit. The digits of a number stay as they are. Text is composed
    (NFC) first, so that Hangul typed as separate letters equals Hangul typed as syllables.
    """
    return " ".join(split_words(text))


def split_words(text: str) -> list[str]:
    """Return the words (어절) of a transcript, cleaned."""
    text = unicodedata.normalize("NFC", text)
    for sign, rule in _RULES:
        if sign.search(text):
            text = rule.sub(" ", text)
    return _NOT_WORD.sub(" ", text).split()
