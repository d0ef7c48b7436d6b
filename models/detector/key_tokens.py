"""The few words of a call that the detector looked at most, for people to see why."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

MOST_KEY_TOKENS = 5

_SHORTEST_STEM = 2
_NO_SYLLABLE = re.compile(r"[ㄱ-ㅎㅏ-ㅣ]+")


def _read_words() -> dict[str, tuple[str, ...]]:
    text = Path(__file__).with_name("empty_words.toml").read_text(encoding="utf-8")
    return {name: tuple(words.split()) for name, words in tomllib.loads(text).items()}


_WORDS = _read_words()
_EMPTY = frozenset(_WORDS["answers"] + _WORDS["fillers"] + _WORDS["particles"])
_MEANINGFUL_ALONE = frozenset(_WORDS["meaningful_alone"])
_ENDINGS = _WORDS["endings"]
_DRAWN_OUT = re.compile(rf"({'|'.join(_WORDS['drawn_out'])})\1*")


def select_key_tokens(words: Sequence[str], attention: ArrayLike, most: int = MOST_KEY_TOKENS) -> tuple[str, ...]:
    """Return at most five distinct words of a call, those with most attention first.

    A word's attention is summed over its places; forms that differ by a particle count as one word and show as the
    form with most attention. Particles, answers, fillers and words of one syllable that say nothing never appear. Equal
    attention goes by place, so the same call always gives the same words.

    Args:
        words: T words, as fed to the detector.
        attention: (T,) weights.
        most: Words wanted at most.
    """
    forms: dict[str, dict[str, float]] = {}
    for word, weight in zip(words, np.asarray(attention, dtype=np.float64).tolist(), strict=True):
        stem = meaningful_stem(word)
        if stem is not None:
            own_forms = forms.setdefault(stem, {})
            own_forms[word] = own_forms.get(word, 0.0) + weight
    # Sorting is stable and dictionaries keep the order of first places, so ties go by place.
    strongest = sorted(forms.values(), key=lambda own_forms: -sum(own_forms.values()))[:most]
    return tuple(max(own_forms, key=lambda form: own_forms[form]) for own_forms in strongest)


def stem_of(word: str) -> str:
    """Return a word without the particle at its end, where enough of a word remains."""
    for ending in _ENDINGS:
        stem = word.removesuffix(ending)
        if stem != word and (len(stem) >= _SHORTEST_STEM or stem in _MEANINGFUL_ALONE):
            return stem
    return word


@lru_cache(maxsize=50_000)
def meaningful_stem(word: str) -> str | None:
    """Return a word's stem, or None where it says nothing: a particle, an answer, a filler, a cough."""
    stem = stem_of(word)
    if len(stem) == 1:
        return stem if stem in _MEANINGFUL_ALONE else None
    empty = word in _EMPTY or stem in _EMPTY or _DRAWN_OUT.fullmatch(word) or _NO_SYLLABLE.fullmatch(word)
    return None if empty else stem
