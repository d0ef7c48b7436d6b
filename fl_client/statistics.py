"""What a device tells the statistics: one randomised value a metric and week, and never a second draw.

The truth stays in this module's local variables. What is written down and sent is the randomised answer only, so that a
retry sends the same bytes: drawing again would tell more about the person each time.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from random import Random
from secrets import SystemRandom

from models.domain.consent import Purpose
from models.domain.release import Verdict
from models.domain.statistic import METRICS, VERDICT
from models.domain.window import Window
from models.durable_file import write_durably
from models.errors import BadInputError, BudgetSpentError, ConsentRefusedError
from models.privacy.randomised_response import randomise

EPSILON_A_YEAR = 52.0
"""Local differential privacy that all reports of any 52 weeks may spend together, enforced on the device."""

NO_CALL = "none"
"""The value of a week without calls; without it, silence would tell."""

_YEAR = timedelta(weeks=52)

_QUESTIONS: Mapping[str, Callable[[Verdict | None], str]] = {
    VERDICT.name: lambda verdict: NO_CALL if verdict is None else verdict.value,
}
"""How each metric's true value follows from the week's drawn call."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a device sends for one window.

    Attributes:
        answers: A randomised value for every metric.
        epsilon: What making it spent.
    """

    window: Window
    answers: Mapping[str, str]
    epsilon: float

    @property
    def body(self) -> bytes:
        """The request's body: the same bytes whenever it is sent."""
        answers = dict(sorted(self.answers.items()))
        return json.dumps({"window": self.window.name, "answers": answers}, separators=(",", ":")).encode()


class ReportBook:
    """The device's own record of the reports that it made, kept for a year in one small file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def find(self, window: Window) -> Report | None:
        """Return the report that was made for a window.

        Raises:
            BadInputError: The file is damaged. Starting afresh could draw a second time, so it isn't done silently.
        """
        return self._read().get(window)

    def spent(self, window: Window) -> float:
        """Return the epsilon that the reports of the 52 weeks up to a window spent."""
        return sum(report.epsilon for report in self._read().values() if _within_a_year(report.window, window))

    def remember(self, report: Report) -> None:
        """Write a report down, durably, before it is sent."""
        known = {**self._read(), report.window: report}
        kept = [entry for entry in known.values() if _within_a_year(entry.window, report.window)]
        rows = [{"window": entry.window.name, "answers": entry.answers, "epsilon": entry.epsilon} for entry in kept]
        try:
            write_durably(self._path, json.dumps(rows).encode())
        except OSError as error:
            raise BadInputError(f"{self._path} can't be written: {error.strerror}") from None

    def _read(self) -> dict[Window, Report]:
        try:
            rows = json.loads(self._path.read_bytes())
            reports = [Report(Window.parse(row["window"]), row["answers"], float(row["epsilon"])) for row in rows]
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, KeyError, TypeError, BadInputError):
            raise BadInputError(
                f"{self._path} is damaged: no report is made before it is mended or a year old"
            ) from None
        return {report.window: report for report in reports}


def make_report(
    window: Window,
    verdicts: Sequence[Verdict],
    consents: Collection[Purpose],
    book: ReportBook,
    rng: Random | None = None,
) -> Report:
    """Return the device's report for a window: the one it made before, or a new one.

    Args:
        window: A week that is over.
        verdicts: Of all calls of that week. Sensitive: one is drawn, randomised, and forgotten with the others.
        consents: What the person consented to, as the device knows.
        book: Where the report is remembered before it is returned.
        rng: Seeded in simulations only; people's reports use the operating system's randomness, the default.

    Raises:
        ConsentRefusedError: The person didn't consent to statistics.
        BudgetSpentError: The year's reports have spent what they may.
        BadInputError: The book is damaged or can't be written.
    """
    if Purpose.STATISTICS not in consents:
        raise ConsentRefusedError("there is no consent to statistics on this device: nothing is reported")
    made = book.find(window)
    if made is not None:
        return made
    cost = sum(metric.epsilon for metric in METRICS.values())
    if book.spent(window) + cost > EPSILON_A_YEAR:
        raise BudgetSpentError(f"the reports of the last 52 weeks have spent their epsilon of {EPSILON_A_YEAR:g}")
    report = Report(window, _answer(verdicts, SystemRandom() if rng is None else rng), cost)
    book.remember(report)
    return report


def _answer(verdicts: Sequence[Verdict], rng: Random) -> dict[str, str]:
    drawn = rng.choice(verdicts) if verdicts else None
    return {
        metric.name: randomise(_QUESTIONS[metric.name](drawn), metric.values, metric.epsilon, rng)
        for metric in METRICS.values()
    }


def _within_a_year(earlier: Window, window: Window) -> bool:
    return timedelta(0) <= window.monday - earlier.monday < _YEAR
