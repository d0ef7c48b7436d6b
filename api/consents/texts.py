"""The consent texts in force; the words themselves are in texts.toml."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from models.domain.consent import Purpose


class Language(StrEnum):
    """Languages that the texts are written in."""

    KOREAN = "ko"
    ENGLISH = "en"


@dataclass(frozen=True, slots=True)
class ConsentText:
    """What a person reads before consenting to one purpose.

    Attributes:
        version: Named in the consent.
        aim: What the data is used for (PIPA 15(2) no. 1).
        items: Which data (no. 2).
        retention: How long it is kept (no. 3).
        refusal: That one may refuse, and what follows (no. 4).
    """

    purpose: Purpose
    version: str
    language: Language
    aim: str
    items: str
    retention: str
    refusal: str


def _read_texts() -> tuple[ConsentText, ...]:
    found = tomllib.loads(Path(__file__).with_name("texts.toml").read_text("utf-8"))["texts"]
    return tuple(
        ConsentText(**{**text, "purpose": Purpose(text["purpose"]), "language": Language(text["language"])})
        for text in found
    )


TEXTS = _read_texts()
"""One text a purpose and language."""


def is_in_force(purpose: Purpose, version: str, language: Language) -> bool:
    """Return whether people can consent to this text now."""
    return any((text.purpose, text.version, text.language) == (purpose, version, language) for text in TEXTS)
