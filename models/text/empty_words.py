"""Words that say nothing by themselves: particles, answers, fillers, and the closed classes that only join or point.

They are listed in ``empty_words.toml``, written for this project.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

_SHORTEST_STEM = 2
_NO_SYLLABLE = frozenset(map(chr, range(ord("ㄱ"), ord("ㅣ") + 1)))


def _read_words() -> dict[str, frozenset[str]]:
    text = Path(__file__).with_suffix(".toml").read_text(encoding="utf-8")
    return {name: frozenset(words.split()) for name, words in tomllib.loads(text).items()}


_WORDS = _read_words()
_DRAWN_OUT, _ENDINGS, _MEANINGFUL_ALONE = (_WORDS.pop(name) for name in ("drawn_out", "endings", "meaningful_alone"))
_CONJUNCTIONS = _WORDS["conjunctions"]
_BEGIN_A_SOUND = _DRAWN_OUT | _NO_SYLLABLE
_POLITE = "요"
_ANSWERS = _WORDS["answers"] | _WORDS["agreement"]
_BEGIN_ANSWERS = frozenset(answer[:2] for answer in _ANSWERS)
_ONLY_ANSWERS = re.compile(rf"(?:{'|'.join(sorted(_ANSWERS, key=len, reverse=True))})+")
"""Recognisers write them without spaces: 네네, 네맞아요, 그래그래."""
_EMPTY = frozenset[str]().union(*_WORDS.values())
_ENDING_SIZES = {
    last: sorted({len(ending) for ending in _ENDINGS if ending[-1] == last}, reverse=True)
    for last in {ending[-1] for ending in _ENDINGS}
}
"""By their last syllable: most words end in one that no ending ends in."""


def stem_of(word: str) -> str:
    """Return a word without the particle at its end, the longest there is, where enough of a word remains.

    The polite 요 may stand behind another one: 대출은요.
    """
    stem = _without_particle(word)
    polite = stem is not word and word[len(stem) :] == _POLITE
    return _without_particle(stem) if polite and stem not in _EMPTY else stem


def _without_particle(word: str) -> str:
    for size in _ENDING_SIZES.get(word[-1:], ()):
        if word[-size:] in _ENDINGS:
            stem = word[:-size]
            if len(stem) >= _SHORTEST_STEM or stem in _MEANINGFUL_ALONE:
                return stem
    return word


def meaningful_stem(word: str) -> str | None:
    """Return a word's stem in small letters, or None where it says nothing: a particle, an answer, a filler."""
    word = word.casefold()
    if word in _EMPTY:
        return None
    stem = stem_of(word)
    if len(stem) == 1:
        return stem if stem in _MEANINGFUL_ALONE else None
    if stem in _EMPTY or (word[0] in _BEGIN_A_SOUND and _is_a_sound(word)) or _is_answers(word):
        return None
    return stem


def joins_sentences(word: str) -> bool:
    """Return whether a word is a conjunctive adverb (접속 부사): something is yet to follow."""
    return word in _CONJUNCTIONS or stem_of(word) in _CONJUNCTIONS


def _is_a_sound(word: str) -> bool:
    return word.count(word[0]) == len(word) if word[0] in _DRAWN_OUT else _NO_SYLLABLE.issuperset(word)


def _is_answers(word: str) -> bool:
    likely = word[:2] in _BEGIN_ANSWERS or word[0] in _BEGIN_ANSWERS
    return likely and _ONLY_ANSWERS.fullmatch(word) is not None
