"""Authored scenarios: how a call of one kind may go, stage after stage, with choices at each."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Any, NoReturn

from models.corpus.slots import SLOTS_FILE, joined_in, slots_in
from models.domain.call import Label, ScamType
from models.errors import ScenarioFileError

SCENARIOS = Path(__file__).parent / "scenarios"
"""What ships: ``slots.toml`` and one TOML file a kind under ``vishing/`` and ``normal/``."""

_LABEL_FOLDERS = {"vishing": Label.VISHING, "normal": Label.NORMAL}
_SCENARIO_KEYS = {"id", "kind", "title", "hard", "moods", "stage"}
_STAGE_KEYS = {"name", "chance", "only_if", "draws", "choices"}
_NAME = re.compile(r"[a-z0-9_]+")


class Speaker(StrEnum):
    """The two sides of a call."""

    CALLER = "A"
    CALLED = "B"


@dataclass(frozen=True, slots=True)
class Turn:
    """What one side says before the other does.

    Holds slots, alternatives such as ``[네|예]``, and such as ``<네|아니요>`` that are joined: in all turns of an
    exchange the one at the same place is said.
    """

    speaker: Speaker
    text: str


Exchange = tuple[Turn, ...]


@dataclass(frozen=True, slots=True)
class Stage:
    """A step of a call.

    Attributes:
        choices: What may be said; ``draws`` of them are, in the order in which they stand.
        chance: Probability that the stage happens.
        only_if: Moods in which it happens; empty stands for every mood.
        draws: How many choices are drawn.
    """

    name: str
    choices: tuple[Exchange, ...]
    chance: float = 1.0
    only_if: frozenset[str] = frozenset()
    draws: int = 1


@dataclass(frozen=True, slots=True)
class Scenario:
    """How calls of one kind go.

    Attributes:
        id: Unique over all files.
        kind: A ``ScamType`` value of a vishing scenario; the subject (bank, civic, family, ...) of a normal one.
        hard: A normal scenario in which the words of vishing are spoken.
        moods: One is drawn a call; empty where the called person's mood changes nothing.
    """

    id: str
    kind: str
    title: str
    label: Label
    stages: tuple[Stage, ...]
    hard: bool = False
    moods: tuple[str, ...] = ()

    @property
    def scam_type(self) -> ScamType:
        """The type of scam; ``unknown`` for a normal scenario."""
        return ScamType(self.kind) if self.label is Label.VISHING else ScamType.UNKNOWN


def load_scenarios(folder: Path = SCENARIOS) -> tuple[Scenario, ...]:
    """Return every scenario under ``folder``, in order of file name, checked.

    Raises:
        ScenarioFileError: Names the file and the scenario: not TOML, a key or slot that is not known, a mood that the
            scenario doesn't have, no choices, an id used twice.
    """
    return _load(folder.resolve())


@lru_cache(maxsize=4)
def _load(folder: Path) -> tuple[Scenario, ...]:
    slots = frozenset(read_toml(folder / SLOTS_FILE).get("slots", {}))
    scenarios: list[Scenario] = []
    for name, label in _LABEL_FOLDERS.items():
        for path in sorted((folder / name).glob("*.toml")):
            scenarios += _read_file(path, label, slots)
            _refuse_duplicates(path, scenarios)
    if not scenarios:
        raise ScenarioFileError(folder, None, "there is no scenario under vishing/ or normal/")
    return tuple(scenarios)


def read_toml(path: Path) -> dict[str, Any]:
    """Return what a TOML file holds.

    Raises:
        ScenarioFileError: It can't be read or is not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ScenarioFileError(path, None, f"can't be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ScenarioFileError(path, None, f"is not TOML: {error}") from None


def _read_file(path: Path, label: Label, slots: frozenset[str]) -> list[Scenario]:
    rows = read_toml(path).get("scenario")
    if not isinstance(rows, list) or not rows:
        raise ScenarioFileError(path, None, "holds no [[scenario]]")
    scenarios = []
    for row in rows:
        named = row.get("id") if isinstance(row, dict) else None
        scenarios.append(_ScenarioReader(path, named if isinstance(named, str) else None, slots).scenario(row, label))
    return scenarios


def _refuse_duplicates(path: Path, scenarios: Iterable[Scenario]) -> None:
    seen: set[str] = set()
    for scenario in scenarios:
        if scenario.id in seen:
            raise ScenarioFileError(path, scenario.id, "the id is used twice")
        seen.add(scenario.id)


@dataclass(frozen=True, slots=True)
class _ScenarioReader:
    """Turns one table of a file into a scenario, and names file and scenario where it can't."""

    path: Path
    id: str | None
    slots: frozenset[str]

    def scenario(self, row: Mapping[str, Any], label: Label) -> Scenario:
        self._check_keys(row, _SCENARIO_KEYS)
        moods = self._texts(row, "moods")
        scenario = Scenario(
            id=self._text(row, "id"),
            kind=self._text(row, "kind"),
            title=self._text(row, "title"),
            label=label,
            stages=tuple(self._stage(stage, moods) for stage in self._tables(row, "stage")),
            hard=row.get("hard", False) is True,
            moods=moods,
        )
        self._check_whole(scenario)
        return scenario

    def _check_whole(self, scenario: Scenario) -> None:
        if not _NAME.fullmatch(scenario.id):
            self._refuse("the id may hold a to z, 0 to 9 and _ only")
        if scenario.label is Label.VISHING and scenario.kind not in set(ScamType) - {ScamType.UNKNOWN}:
            self._refuse(f"the kind {scenario.kind} is no type of scam")
        if not any(stage.chance == 1.0 and not stage.only_if for stage in scenario.stages):
            self._refuse("no stage is sure to happen, so a call could be empty")

    def _stage(self, row: Mapping[str, Any], moods: tuple[str, ...]) -> Stage:
        self._check_keys(row, _STAGE_KEYS)
        name = self._text(row, "name")
        choices = row.get("choices")
        if not isinstance(choices, list) or not choices:
            self._refuse(f"stage {name} has no choices")
        return Stage(
            name,
            tuple(self._exchange(name, choice) for choice in choices),
            self._chance(name, row.get("chance", 1.0)),
            self._only_if(name, row, moods),
            self._draws(name, row.get("draws", 1), len(choices)),
        )

    def _only_if(self, stage: str, row: Mapping[str, Any], moods: tuple[str, ...]) -> frozenset[str]:
        only_if = frozenset(self._texts(row, "only_if"))
        if unknown := only_if - set(moods):
            self._refuse(f"stage {stage} asks for a mood that the scenario doesn't have: {', '.join(sorted(unknown))}")
        return only_if

    def _chance(self, stage: str, value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 1:
            self._refuse(f"stage {stage} has a chance that is not above 0 and at most 1")
        return float(value)

    def _draws(self, stage: str, value: object, choices: int) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= choices:
            self._refuse(f"stage {stage} draws fewer than 1 or more than its {choices} choices")
        return value

    def _exchange(self, stage: str, lines: object) -> Exchange:
        if not isinstance(lines, list) or not lines:
            self._refuse(f"stage {stage} has a choice without turns")
        exchange = tuple(self._turn(stage, line) for line in lines)
        if len(joined_in(turn.text for turn in exchange)) > 1:
            self._refuse(f"stage {stage} has a choice whose joined alternatives are not equally many")
        return exchange

    def _turn(self, stage: str, line: object) -> Turn:
        speaker, mark, text = str(line).partition(":")
        if not isinstance(line, str) or not mark or speaker not in set(Speaker) or not text.strip():
            self._refuse(f"stage {stage} has a turn that is not 'A: ...' or 'B: ...'")
        if unknown := slots_in(text) - self.slots:
            self._refuse(f"stage {stage} uses a slot that {SLOTS_FILE} doesn't have: {', '.join(sorted(unknown))}")
        if not _balanced(text):
            self._refuse(f"stage {stage} has a bracket that is not closed, or one within another")
        return Turn(Speaker(speaker), text.strip())

    def _text(self, row: Mapping[str, Any], key: str) -> str:
        value = row.get(key)
        if not isinstance(value, str) or not value.strip():
            self._refuse(f"{key} is not there or is not text")
        return value

    def _texts(self, row: Mapping[str, Any], key: str) -> tuple[str, ...]:
        value = row.get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
            self._refuse(f"{key} is not a list of texts")
        return tuple(value)

    def _tables(self, row: Mapping[str, Any], key: str) -> Sequence[Mapping[str, Any]]:
        value = row.get(key, [])
        if not isinstance(value, list):
            self._refuse(f"{key} is not a list of tables")
        return value

    def _check_keys(self, row: object, known: set[str]) -> None:
        if not isinstance(row, dict):
            self._refuse("is not a table")
        if unknown := set(row) - known:
            self._refuse(f"has a key that is not known: {', '.join(sorted(unknown))}")

    def _refuse(self, reason: str) -> NoReturn:
        raise ScenarioFileError(self.path, self.id, reason)


def _balanced(text: str) -> bool:
    """Whether every ``[``, ``<`` and ``{`` is closed before the next one; only ``{`` may stand within another."""
    for opening, closing in ("[]", "<>", "{}"):
        outside = re.sub(rf"\{opening}[^\[\]<>\{opening}\{closing}]*\{closing}", "", text)
        if opening in outside or closing in outside:
            return False
    return True
