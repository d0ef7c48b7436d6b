"""From a transcript to plain words: what recognisers, transcribers and de-identifiers left is taken out."""

from __future__ import annotations

import re
import unicodedata

_TRANSCRIBER_MARKS = re.compile(r"(?<![A-Za-z])[bnlou]/|/|\*|\+|\(\(.*?\)\)")
_DE_IDENTIFIED = re.compile(r"[O○0◯]{2,}|[Xx×]{2,}|\*{2,}|&[\w-]+&|#[\w-]+#")
_NOT_WORD = re.compile(r"[^0-9A-Za-z가-힣ㄱ-ㅎㅏ-ㅣ\s]+")
_SPACES = re.compile(r"\s+")


def clean_text(text: str) -> str:
    """Return the spoken words of a transcript, separated by single spaces.

    Removes the letters that stand for de-identified names and numbers (OOO), transcriber's marks (``b/``, ``*``, ``+``)
    and everything that is neither letter nor digit. Text is composed (NFC) first, so that Hangul typed as separate
    letters equals Hangul typed as syllables.
    """
    text = unicodedata.normalize("NFC", text)
    text = _DE_IDENTIFIED.sub(" ", text)
    text = _TRANSCRIBER_MARKS.sub(" ", text)
    text = _NOT_WORD.sub(" ", text)
    return _SPACES.sub(" ", text).strip()


def split_words(text: str) -> list[str]:
    """Return the words (어절) of a transcript, cleaned."""
    return clean_text(text).split()
