"""What makes authored lines sound spoken: fillers, words said twice, back-channels, dialect endings."""

from __future__ import annotations

import random
from collections.abc import Sequence

from models.corpus.scenario import Speaker, Turn
from models.corpus.speech import read_pairs, read_speech

_TABLES = read_speech()
_POLITE_FILLERS: tuple[str, ...] = tuple(_TABLES["spoken"]["polite_fillers"])
_CASUAL_FILLERS: tuple[str, ...] = tuple(_TABLES["spoken"]["casual_fillers"])
_ANSWERS = frozenset(_TABLES["spoken"]["answers"])
_OPENERS: tuple[str, ...] = tuple(_TABLES["spoken"]["openers"])
_POLITE_BACKCHANNELS: tuple[str, ...] = tuple(_TABLES["spoken"]["polite_backchannels"])
_CASUAL_BACKCHANNELS: tuple[str, ...] = tuple(_TABLES["spoken"]["casual_backchannels"])
_DIALECTS = {name: read_pairs(endings) for name, endings in _TABLES["dialects"].items()}
_POLITE_ENDINGS = ("요", "니다", "니까", "네", "예", "세요", "죠")
_CLAUSE_ENDINGS = ("고", "요", "데", "서", "면", "다", "까", "죠", "지만", "든지")
_LONGEST_STUMBLE = 3
"""Syllables; longer words are hardly ever begun twice."""

_FILLERS_OF_ONE = 3
"""Fillers that one speaker uses: people have favourites, so their words repeat more than a text's."""

_STUMBLE = 0.15
"""Share of the hesitations that are the word once more."""

_RESTARTS = 0.2
"""Restarts a filler: a speaker says the last two words again, the commonest repair beside fillers (Shriberg, 1994)."""

_LONG_TURN = 14
"""Words after which a listener is likely to say something."""


def speak(turns: Sequence[Turn], rng: random.Random, *, filler_rate: float, dialect_chance: float) -> list[Turn]:
    """Return the turns as people would say them on the phone.

    Args:
        turns: Filled turns, in order.
        rng: Every draw comes from it.
        filler_rate: Probability that a filler, or the word once more, stands before a word. At the start of a turn it
            is twice that, and another filler; before its last word, and beside a word of one syllable (이 사람, 세 시),
            there is none. A fifth as often the last two words are said again.
        dialect_chance: Probability that the called person speaks a dialect.
    """
    dialect = rng.choice(sorted(_DIALECTS)) if rng.random() < dialect_chance else None
    own = {speaker: _fillers_of(speaker, turns, rng) for speaker in Speaker}
    spoken: list[Turn] = []
    for turn in turns:
        text = _in_dialect(turn.text, dialect, rng) if dialect and turn.speaker is Speaker.CALLED else turn.text
        spoken += _interrupted(Turn(turn.speaker, _hesitating(text, filler_rate, own[turn.speaker], rng)), turns, rng)
    return spoken


def _fillers_of(speaker: Speaker, turns: Sequence[Turn], rng: random.Random) -> list[str]:
    return rng.choices(_POLITE_FILLERS if _is_polite(speaker, turns) else _CASUAL_FILLERS, k=_FILLERS_OF_ONE)


def _hesitating(text: str, rate: float, fillers: Sequence[str], rng: random.Random) -> str:
    if not text:
        return ""
    first, *rest = text.split()
    opens = first not in _ANSWERS and rng.random() < 2 * rate
    words = [rng.choice(_OPENERS), first] if opens else [first]
    for place, word in enumerate(rest, start=1):
        if place < len(rest) and _may_be_parted(words[-1], word) and rng.random() < rate:
            stumbles = len(word) <= _LONGEST_STUMBLE and rng.random() < _STUMBLE
            words.append(word if stumbles else rng.choice(fillers))
        words.append(word)
        if place < len(rest) and rng.random() < _RESTARTS * rate:
            words += rest[max(0, place - 2) : place]
    return " ".join(words)


def _interrupted(turn: Turn, turns: Sequence[Turn], rng: random.Random) -> list[Turn]:
    """Cut a long turn in two and let the listener say something between."""
    words = turn.text.split()
    if len(words) < _LONG_TURN or rng.random() < 0.4:
        return [turn]
    cut = _place_to_break_in(words, rng)
    listener = Speaker.CALLED if turn.speaker is Speaker.CALLER else Speaker.CALLER
    said = rng.choice(_POLITE_BACKCHANNELS if _is_polite(listener, turns) else _CASUAL_BACKCHANNELS)
    rest = Turn(turn.speaker, " ".join(words[cut:]))
    return [Turn(turn.speaker, " ".join(words[:cut])), Turn(listener, said), *_interrupted(rest, turns, rng)]


def _may_be_parted(word: str, following: str) -> bool:
    return min(len(word), len(following)) > 1


def _place_to_break_in(words: Sequence[str], rng: random.Random) -> int:
    """Return how many words are said before the listener speaks: up to the end of a clause, where there is one."""
    places = range(_LONG_TURN // 2, len(words) - 3)
    return rng.choice([place for place in places if words[place - 1].endswith(_CLAUSE_ENDINGS)] or places)


def _is_polite(speaker: Speaker, turns: Sequence[Turn]) -> bool:
    own = [turn.text for turn in turns if turn.speaker is speaker]
    return 2 * sum(text.endswith(_POLITE_ENDINGS) for text in own) >= len(own)


def _in_dialect(text: str, dialect: str, rng: random.Random) -> str:
    return " ".join(_word_in_dialect(word, dialect) if rng.random() < 0.7 else word for word in text.split())


def _word_in_dialect(word: str, dialect: str) -> str:
    for standard, spoken in _DIALECTS[dialect]:
        if word.endswith(standard):
            return word.removesuffix(standard) + spoken
    return word
