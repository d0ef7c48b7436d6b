"""Synthetic calls, drawn from the authored scenarios. The same seed gives the same calls."""

from __future__ import annotations

import random
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import islice

from models.corpus.recogniser import cut_ends, leave_out_hesitations, misrecognise
from models.corpus.scenario import SCENARIOS, Exchange, Scenario, Speaker, Stage, Turn, load_scenarios, read_toml
from models.corpus.slots import SLOTS_FILE, draw_joined, draw_slots, fill
from models.corpus.spoken import speak
from models.corpus.timing import lay_out
from models.corpus.written_numbers import write_digits_as_words, write_numbers_as_digits
from models.domain.call import Call, Label, ScamType
from models.errors import ScenarioFileError, UsageError

SOURCE = "synthetic"
_ID_PARTS = 4
_LONGEST_CUT = 15
"""Words missing at most at either end of a recording."""

_MOST_FILLERS = 0.18
"""Fillers a word at most, of a call: they bring the variety of words nearer to that of real calls (docs/corpus.md)."""

_LATE_START = 0.35
"""Share of the recordings that begin when the call is under way, as many published recordings of vishing do."""

_LATEST_START = 0.5
"""Share of a call's turns that such a recording lacks at most."""

_NUMBERS_AS_DIGITS = 0.8
_HESITATIONS_LEFT_OUT = 0.6
"""Shares of the calls whose recogniser writes so: published transcripts hold digits, and few 음 and 어."""

_ONE_SIDE_FAINT = 0.3
"""Share of the recordings that hold one side so faintly that most of its short answers are lost."""

_FAINT_TURN, _FAINT_LOSS = 4, 0.7
"""Words of an answer that may be lost at most, and how often it is."""


def generate_calls(
    count: int,
    seed: int,
    *,
    vishing_share: float = 0.5,
    kinds: Collection[str] | None = None,
    exclude_types: Collection[ScamType] = (),
    recogniser_noise: float = 0.08,
    scenarios: Sequence[Scenario] | None = None,
) -> list[Call]:
    """Return synthetic calls in random order; the scenarios of each label take turns, so all are drawn equally often.

    Args:
        count: Calls wanted.
        seed: Same seed and arguments, same calls.
        vishing_share: Share of the calls that are vishing, 0 to 1; rounded to whole calls.
        kinds: Draw from scenarios of these kinds only.
        exclude_types: Types of scam that no call may be.
        recogniser_noise: Mean share of the words that the recogniser gets wrong; each call has its own.
        scenarios: Draw from these instead of those that ship.

    Returns:
        Calls with segments in seconds, ``source`` "synthetic" and, on vishing, their type. ``scenario_of`` tells the
        scenario from the id.

    Raises:
        UsageError: A share outside 0 to 1, or no scenario left to draw from.
        ScenarioFileError: The scenario files don't follow the format.
    """
    _check_share("vishing_share", vishing_share)
    _check_share("recogniser_noise", recogniser_noise)
    rng = random.Random(seed)  # noqa: S311 - nothing secret is drawn
    available = _allowed(scenarios or load_scenarios(), kinds, exclude_types)
    drawn = _draw_scenarios(available, count, round(count * vishing_share), rng)
    return [
        _generate(scenario, f"synthetic-{seed}-{index:05d}-{scenario.id}", recogniser_noise)
        for index, scenario in enumerate(drawn)
    ]


def scenario_of(call_id: str) -> str:
    """Return the id of the scenario that a synthetic call was drawn from.

    Raises:
        UsageError: The id is not one that ``generate_calls`` gives.
    """
    parts = call_id.split("-", _ID_PARTS - 1)
    if len(parts) != _ID_PARTS or parts[0] != SOURCE:
        raise UsageError("this id is not a synthetic call's: no scenario can be told from it")
    return parts[-1]


def _check_share(name: str, share: float) -> None:
    if not 0.0 <= share <= 1.0:
        raise UsageError(f"{name} must be from 0 to 1, not {share}")


def _allowed(
    scenarios: Sequence[Scenario], kinds: Collection[str] | None, exclude_types: Collection[ScamType]
) -> list[Scenario]:
    return [
        scenario
        for scenario in scenarios
        if (kinds is None or scenario.kind in kinds)
        and not (scenario.label is Label.VISHING and scenario.scam_type in exclude_types)
    ]


def _draw_scenarios(scenarios: Sequence[Scenario], count: int, vishing: int, rng: random.Random) -> list[Scenario]:
    drawn: list[Scenario] = []
    for label, wanted in ((Label.VISHING, vishing), (Label.NORMAL, count - vishing)):
        own = [scenario for scenario in scenarios if scenario.label is label]
        if wanted and not own:
            raise UsageError(f"there is no {label.name.lower()} scenario of the kinds asked for")
        drawn += islice(_take_turns(own, rng), wanted)
    rng.shuffle(drawn)
    return drawn


def _take_turns(scenarios: Sequence[Scenario], rng: random.Random) -> Iterator[Scenario]:
    while scenarios:
        yield from rng.sample(scenarios, len(scenarios))


def _generate(scenario: Scenario, call_id: str, noise: float) -> Call:
    # A call's own generator: what one call draws never changes the next.
    rng = random.Random(call_id)  # noqa: S311 - nothing secret is drawn
    slots = draw_slots(_slot_values(), rng)
    said = _said(_recorded(unfold(scenario, rng), rng), slots, rng)
    spoken = speak(said, rng, filler_rate=rng.uniform(0.0, _MOST_FILLERS), dialect_chance=0.15)
    heard = _heard([turn.text for turn in _audible(spoken, rng)], noise, rng)
    return Call(
        id=call_id,
        label=scenario.label,
        segments=lay_out(_with_cut_ends(heard, rng), rng),
        source=SOURCE,
        scam_type=scenario.scam_type,
    )


def unfold(scenario: Scenario, rng: random.Random) -> list[Turn]:
    """Draw a mood, the stages that happen, a choice at each and joined alternatives; slots are not filled yet."""
    mood = rng.choice(scenario.moods) if scenario.moods else None
    happening = [stage for stage in scenario.stages if _happens(stage, mood, rng)]
    return [turn for stage in happening for exchange in _drawn(stage, rng) for turn in exchange]


def _drawn(stage: Stage, rng: random.Random) -> list[Exchange]:
    places = sorted(rng.sample(range(len(stage.choices)), stage.draws))
    return [_joined(stage.choices[place], rng) for place in places]


def _joined(exchange: Exchange, rng: random.Random) -> Exchange:
    texts = draw_joined([turn.text for turn in exchange], rng)
    return tuple(Turn(turn.speaker, text) for turn, text in zip(exchange, texts, strict=True))


def _happens(stage: Stage, mood: str | None, rng: random.Random) -> bool:
    return (not stage.only_if or mood in stage.only_if) and rng.random() < stage.chance


def _recorded(turns: Sequence[Turn], rng: random.Random) -> Sequence[Turn]:
    late = rng.random() < _LATE_START
    return turns[int(len(turns) * rng.uniform(0.0, _LATEST_START)) :] if late else turns


def _said(turns: Sequence[Turn], slots: Mapping[str, str], rng: random.Random) -> list[Turn]:
    words: set[str] = set()
    said = []
    for turn in turns:
        said.append(Turn(turn.speaker, fill(turn.text, slots, rng, words)))
        words.update(said[-1].text.split())
    return said


def _audible(turns: Sequence[Turn], rng: random.Random) -> Sequence[Turn]:
    if rng.random() >= _ONE_SIDE_FAINT:
        return turns
    faint = rng.choice(list(Speaker))
    kept = [turn for turn in turns if turn.speaker is not faint or not _is_lost(turn, rng)]
    return kept if len(kept) > 1 else turns


def _is_lost(turn: Turn, rng: random.Random) -> bool:
    return len(turn.text.split()) <= _FAINT_TURN and rng.random() < _FAINT_LOSS


def _heard(texts: Sequence[str], noise: float, rng: random.Random) -> list[list[str]]:
    """Return the words of each turn after the recogniser, whose quality and way with numbers are one call's own."""
    rate = min(1.0, noise * rng.gammavariate(1.5, 1 / 1.5))
    as_digits = rng.random() < _NUMBERS_AS_DIGITS
    digits_read_out = rng.random() < 0.5
    left_out = rng.random() < _HESITATIONS_LEFT_OUT
    heard = []
    for text in texts:
        written = write_numbers_as_digits(text) if as_digits else text
        written = write_digits_as_words(written) if digits_read_out and not as_digits else written
        words = leave_out_hesitations(written.split()) if left_out else written.split()
        heard.append(misrecognise(words, rate, rng))
    return heard


def _with_cut_ends(turns: Sequence[Sequence[str]], rng: random.Random) -> list[Sequence[str]]:
    words = [word for turn in turns for word in turn]
    first, last = cut_ends(words, rng, longest=_LONGEST_CUT)
    kept: list[Sequence[str]] = []
    place = 0
    for turn in turns:
        kept.append(turn[max(0, first - place) : max(0, len(words) - last - place)])
        place += len(turn)
    return [turn for turn in kept if turn]


@lru_cache(maxsize=1)
def _slot_values() -> Mapping[str, Sequence[str]]:
    path = SCENARIOS / SLOTS_FILE
    values = read_toml(path).get("slots", {})
    for name, choices in values.items():
        if (
            not isinstance(choices, list)
            or not all(isinstance(value, str) and value for value in choices)
            or not choices
        ):
            raise ScenarioFileError(path, None, f"slot {name} is not a list of texts")
    return dict(values)
