"""Calls with one thing changed that must not change the verdict: does a detector lean on single words?

The detector paper names this as its own limit: one word pushed a talk about volunteering to .96. A hard normal call
gets a clause with such a word; a vishing call loses the words that speak most for vishing.
"""

from __future__ import annotations

import math
import random
import tomllib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from models.corpus.generator import scenario_of
from models.corpus.scenario import load_scenarios
from models.corpus.sentence_ends import ends_sentence
from models.domain.call import Call, Label, Segment
from models.errors import BadInputError, UsageError
from models.text.clean import split_words
from models.text.empty_words import meaningful_stem
from models.text.window import expected_words, words_until

KEYWORDS = ("허위", "검찰", "체포", "계좌", "대출")
"""Words of vishing that honest people use too."""

ALL_ADDED = "all five added"
STRONGEST_REMOVED = "strongest words removed"

CHANGES = (*(f"{word} added" for word in KEYWORDS), ALL_ADDED, STRONGEST_REMOVED)
"""Kinds of change, as figures name them."""

WORDS_REMOVED = 5
"""Distinct words that a vishing call loses at most."""

AUTOMATIC, ALL, TIMED = "auto", "all", "timed"
"""Ways to say which normal calls are hard, beside the names of sources."""

_LATEST_SECOND = 8.0
"""A clause is worked in by then, so that all five are spoken by 30 s."""

_REMOVED_BY = 60.0
"""Words are chosen among those spoken by then."""

_WORDS_A_SECOND = expected_words(60.0) / 60.0
_SMOOTHING = 0.5

Strengths = Mapping[str, float]
"""How much each word speaks for vishing, in standard errors; negative for normal calls."""


@dataclass(frozen=True, slots=True)
class Counterfactual:
    """A changed call. Sensitive like the call it was made of.

    Attributes:
        call: As changed, with an id of its own.
        origin: The id of the call it was made of.
        change: One of `CHANGES`.
    """

    call: Call
    origin: str
    change: str


def make_counterfactuals(
    calls: Sequence[Call], hard: Sequence[Call], strengths: Strengths, seed: int
) -> list[Counterfactual]:
    """Return the changed calls: six of each hard normal call, one of each vishing call.

    Args:
        calls: Labelled calls.
        hard: The normal calls among them that words are worked into, as of `choose_hard`.
        strengths: Of `fit_strengths`, from calls that the judged detector may know.
        seed: Of the clauses and their places; same seed and calls, same result.

    Returns:
        In the order of the calls. A vishing call without a word that speaks for vishing, or with no other word, is
        left out.
    """
    chosen = {call.id for call in hard}
    made: list[Counterfactual] = []
    for call in calls:
        if call.id in chosen:
            made += add_keywords(call, seed)
        elif call.label is Label.VISHING and (removed := remove_strongest(call, strengths)):
            made.append(removed)
    return made


def add_keywords(call: Call, seed: int) -> list[Counterfactual]:
    """Return a call with each of `KEYWORDS` worked into its first seconds as a clause, and with all of them."""
    single = [_with_words(call, (word,), change, seed) for word, change in zip(KEYWORDS, CHANGES, strict=False)]
    return [*single, _with_words(call, KEYWORDS, ALL_ADDED, seed)]


def remove_strongest(call: Call, strengths: Strengths, most: int = WORDS_REMOVED) -> Counterfactual | None:
    """Return a call without the words of its first minute that speak most for vishing, wherever they stand.

    Fillers and other words that say nothing stay, and so does what was said around, at its time. None where no word
    speaks for vishing or nothing else would remain.
    """
    heard = [word for word in words_until(call, _REMOVED_BY) if meaningful_stem(word)]
    spoken = {word: strengths.get(word, 0.0) for word in heard}
    removed = {word for word in sorted(spoken, key=lambda word: (-spoken[word], word))[:most] if spoken[word] > 0}
    if not removed or not set(split_words(call.transcript)) - removed:
        return None
    changed = _map_text(call, lambda text: " ".join(word for word in split_words(text) if word not in removed))
    return Counterfactual(replace(changed, id=f"{call.id}+removed"), call.id, STRONGEST_REMOVED)


def fit_strengths(calls: Sequence[Call]) -> dict[str, float]:
    """Return how much each word of the calls speaks for vishing.

    The log-odds ratio of the calls that hold the word, over its standard error, so that rare words don't lead: Monroe,
    Colaresi and Quinn, "Fightin' Words", 2008, counted by call.
    """
    held = {label: Counter[str]() for label in Label}
    for call in calls:
        held[call.label].update(set(split_words(call.transcript)))
    sizes = Counter(call.label for call in calls)
    words = held[Label.VISHING].keys() | held[Label.NORMAL].keys()
    return {
        word: _strength(*((held[label][word], sizes[label]) for label in (Label.VISHING, Label.NORMAL)))
        for word in words
    }


def choose_hard(calls: Sequence[Call], which: str = AUTOMATIC) -> list[Call]:
    """Return the normal calls that are hard to tell from vishing.

    Args:
        calls: Labelled calls.
        which: ``auto``: of synthetic calls those whose scenario is marked hard, of others those with time stamps
            (in public Korean sets the call centres), and all normal calls where there is neither; ``all``; ``timed``;
            or names of sources, separated by commas.

    Raises:
        BadInputError: There is no such call.
    """
    normal = [call for call in calls if call.label is Label.NORMAL]
    if which == AUTOMATIC:
        return [call for call in normal if _is_hard(call)] or normal
    sources = set(which.split(","))
    hard = [call for call in normal if which == ALL or (which == TIMED and call.segments) or call.source in sources]
    if not hard:
        raise BadInputError(f"no normal call is hard by {which!r}: expected {AUTOMATIC}, {ALL}, {TIMED} or sources")
    return hard


def _is_hard(call: Call) -> bool:
    try:
        return _hard_scenarios().get(scenario_of(call.id), False)
    except UsageError:
        return bool(call.segments)


@lru_cache(maxsize=1)
def _hard_scenarios() -> Mapping[str, bool]:
    return {scenario.id: scenario.hard for scenario in load_scenarios()}


@lru_cache(maxsize=1)
def _clauses() -> Mapping[str, Sequence[str]]:
    return tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))


def _strength(vishing: tuple[int, int], normal: tuple[int, int]) -> float:
    odds, variance = [], 0.0
    for holding, size in (vishing, normal):
        with_word, without = holding + _SMOOTHING, size - holding + _SMOOTHING
        odds.append(math.log(with_word / without))
        variance += 1 / with_word + 1 / without
    return (odds[0] - odds[1]) / math.sqrt(variance)


def _with_words(call: Call, words: Sequence[str], change: str, seed: int) -> Counterfactual:
    rng = random.Random(f"{seed}/{call.id}/{change}")  # noqa: S311 - nothing secret is drawn
    changed = call
    for word in rng.sample(words, len(words)):
        changed = _work_in(changed, rng.choice(_clauses()[word]), rng)
    name = words[0] if len(words) == 1 else "all"
    return Counterfactual(replace(changed, id=f"{call.id}+{name}"), call.id, change)


def _work_in(call: Call, clause: str, rng: random.Random) -> Call:
    if call.segments:
        return replace(call, segments=_work_into_segments(call.segments, clause, rng))
    words = call.text.split()
    place = rng.choice(_sentence_starts(words[: expected_words(_LATEST_SECOND)]))
    return replace(call, text=" ".join([*words[:place], clause, *words[place:]]))


def _work_into_segments(segments: Sequence[Segment], clause: str, rng: random.Random) -> tuple[Segment, ...]:
    """Say the clause before a segment that begins early, between two sentences; all that follows is said later."""
    place = rng.choice([0, *(at for at in _places_between(segments) if 0 < segments[at].start <= _LATEST_SECOND)])
    start, seconds = min(segments[place].start, _LATEST_SECOND), len(clause.split()) / _WORDS_A_SECOND
    later = [Segment(each.start + seconds, each.end + seconds, each.text) for each in segments[place:]]
    return (*segments[:place], Segment(start, start + seconds, clause), *later)


def _places_between(segments: Sequence[Segment]) -> list[int]:
    """Return the places of segments before which the last word said ends a sentence."""
    last_words = [(segment.text.split() or [""])[-1] for segment in segments]
    return [place for place, word in enumerate(last_words[:-1], 1) if ends_sentence(word)]


def _sentence_starts(words: Sequence[str]) -> list[int]:
    return [0, *(place for place, word in enumerate(words, 1) if ends_sentence(word))]


def _map_text(call: Call, change: Callable[[str], str]) -> Call:
    segments = tuple(replace(segment, text=change(segment.text)) for segment in call.segments)
    return replace(call, segments=segments, text=change(call.text))
