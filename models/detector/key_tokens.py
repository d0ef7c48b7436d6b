"""The few words of a call that the detector looked at most, for people to see why."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from models.text.empty_words import meaningful_stem

MOST_KEY_TOKENS = 5

LONGEST_KEY_TOKEN = 20
"""Letters; what is longer is a stretch of the call that a recogniser left without spaces, and no word."""


def select_key_tokens(words: Sequence[str], attention: ArrayLike, most: int = MOST_KEY_TOKENS) -> tuple[str, ...]:
    """Return at most five distinct words of a call, those with most attention first.

    A word's attention is summed over its places; forms that differ by a particle count as one word and show as the
    form with most attention. Particles, answers, fillers and words of one syllable that say nothing never appear, nor
    does a sentence without spaces. Equal attention goes by place, so the same call always gives the same words.

    Args:
        words: T words, as fed to the detector.
        attention: (T,) weights.
        most: Words wanted at most.
    """
    heard: dict[str, float] = {}
    for word, weight in zip(words, np.asarray(attention, dtype=np.float64).tolist(), strict=True):
        heard[word] = heard.get(word, 0.0) + weight
    totals: dict[str, float] = {}
    strongest_forms: dict[str, str] = {}
    for word, weight in heard.items():
        if len(word) <= LONGEST_KEY_TOKEN and (stem := meaningful_stem(word)):
            totals[stem] = totals.get(stem, 0.0) + weight
            if weight > heard[strongest_forms.setdefault(stem, word)]:
                strongest_forms[stem] = word
    # Sorting is stable and dictionaries keep the order of first places, so ties go by place.
    strongest = sorted(totals, key=totals.__getitem__, reverse=True)[:most]
    return tuple(strongest_forms[stem] for stem in strongest)
