"""The device's own record of the reports that it made: kept for a year, so that none is ever drawn a second time."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from secrets import randbelow
from typing import Any

from models.domain.window import Window
from models.durable_file import write_durably
from models.errors import BadInputError
from models.privacy.local_randomiser import Answer

TURNS = 2
"""A device reports on every second window: so its year's epsilon lasts for the whole year."""

_YEAR = timedelta(weeks=52)


@dataclass(frozen=True, slots=True)
class Report:
    """What a device sends for one window.

    Attributes:
        metric: The question that was drawn, whatever the calls were.
        answer: Randomised.
        epsilon: What making it spent.
    """

    window: Window
    metric: str
    answer: Answer
    epsilon: float

    @property
    def body(self) -> bytes:
        """The request's body: the same bytes whenever it is sent."""
        told = {"window": self.window.name, "metric": self.metric, "answer": self.answer}
        return json.dumps(told, separators=(",", ":")).encode()


@dataclass(frozen=True, slots=True)
class _Kept:
    turn: int
    reports: Mapping[Window, Report]


class ReportBook:
    """One small file. Which windows are the device's turn is drawn when the file is begun, and stays.

    Args:
        path: The file.
        turn: Of a simulated device, that reports when its simulation wants it to; people's devices draw theirs.
    """

    def __init__(self, path: Path, turn: int | None = None) -> None:
        self._path, self._given_turn = path, turn

    def find(self, window: Window) -> Report | None:
        """Return the report that was made for a window.

        Raises:
            BadInputError: The file is damaged. Starting afresh could draw a second time, so it isn't done silently.
        """
        kept = self._read()
        return None if kept is None else kept.reports.get(window)

    def is_turn(self, window: Window) -> bool:
        """Return whether the device reports on a window. The first time that it is asked, its turn is drawn and kept.

        Raises:
            BadInputError: The file is damaged or can't be written.
        """
        kept = self._read()
        if kept is None:
            kept = _Kept(randbelow(TURNS) if self._given_turn is None else self._given_turn, {})
            self._write(kept)
        return turn_of(window) == kept.turn

    def spent(self, window: Window) -> float:
        """Return the epsilon that the reports of the 52 weeks up to a window spent."""
        kept = self._read()
        made = () if kept is None else kept.reports.values()
        return sum(report.epsilon for report in made if _within_a_year(report.window, window))

    def remember(self, report: Report) -> None:
        """Write a report down, durably, before it is sent."""
        kept = self._read() or _Kept(turn_of(report.window), {})
        known = {**kept.reports, report.window: report}
        recent = {window: made for window, made in known.items() if _within_a_year(window, report.window)}
        self._write(_Kept(kept.turn, recent))

    def _read(self) -> _Kept | None:
        try:
            return _parse(json.loads(self._path.read_bytes()))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, BadInputError):
            raise BadInputError(
                f"{self._path} is damaged: no report is made before it is mended or a year old"
            ) from None

    def _write(self, kept: _Kept) -> None:
        rows = [
            {"window": made.window.name, "metric": made.metric, "answer": made.answer, "epsilon": made.epsilon}
            for made in kept.reports.values()
        ]
        try:
            write_durably(self._path, json.dumps({"turn": kept.turn, "reports": rows}).encode())
        except OSError as error:
            raise BadInputError(f"{self._path} can't be written: {error.strerror}") from None


def turn_of(window: Window) -> int:
    """Return the turn of the devices that report on a window."""
    return window.number % TURNS


def _parse(found: dict[str, Any]) -> _Kept:
    if found["turn"] not in range(TURNS):
        raise ValueError
    reports = [
        Report(Window.parse(row["window"]), str(row["metric"]), tuple(row["answer"]), float(row["epsilon"]))
        for row in found["reports"]
    ]
    return _Kept(found["turn"], {report.window: report for report in reports})


def _within_a_year(earlier: Window, window: Window) -> bool:
    return timedelta(0) <= window.monday - earlier.monday < _YEAR
