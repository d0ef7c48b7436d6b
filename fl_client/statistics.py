"""What a device tells the statistics: one question in its windows, one randomised answer, and never a second draw.

Which question is drawn, and in which windows, has nothing to do with the calls. The truth stays in this module's local
variables. What is written down and sent is the randomised answer only, so that a retry sends the same bytes: drawing
again would tell more about the person each time.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from secrets import SystemRandom

from fl_client.observation import CallObservation, true_value
from fl_client.report_book import Report, ReportBook
from models.domain.statistic import WINDOW_EPSILON, Metric, metrics_agreed_to
from models.domain.window import Window
from models.errors import BudgetSpentError, ConsentRefusedError, RefusedError
from models.privacy.local_randomiser import LocalRandomiser

EPSILON_A_YEAR = 52.0
"""Local differential privacy that all reports of any 52 weeks may spend together, enforced on the device."""


class OtherTurnError(RefusedError):
    """The window is the other devices' turn."""


def make_report(
    window: Window,
    calls: Sequence[CallObservation],
    text_version: str | None,
    book: ReportBook,
    rng: Random | None = None,
) -> Report:
    """Return the device's report for a window: the one it made before, or a new one.

    Args:
        window: A week that is over.
        calls: All of that week. Sensitive: one is drawn, its value randomised, and forgotten with the others.
        text_version: Of the statistics text that the person agreed to, ``None`` where they agreed to none. Questions
            that it doesn't name are not drawn.
        book: Where the report is remembered before it is returned.
        rng: Seeded in simulations only; people's reports use the operating system's randomness, the default.

    Raises:
        ConsentRefusedError: The person didn't consent to statistics.
        OtherTurnError: This device has nothing to report on that window.
        BudgetSpentError: The year's reports have spent what they may.
        BadInputError: The book is damaged or can't be written.
    """
    agreed = () if text_version is None else metrics_agreed_to(text_version)
    if not agreed:
        raise ConsentRefusedError("there is no consent to statistics on this device: nothing is reported")
    made = book.find(window)
    if made is not None:
        return made
    if not book.is_turn(window):
        raise OtherTurnError(f"{window.name} is the turn of other devices")
    if book.spent(window) + WINDOW_EPSILON > EPSILON_A_YEAR:
        raise BudgetSpentError(f"the reports of the last 52 weeks have spent their epsilon of {EPSILON_A_YEAR:g}")
    report = _draw(window, calls, agreed, SystemRandom() if rng is None else rng)
    book.remember(report)
    return report


def _draw(window: Window, calls: Sequence[CallObservation], agreed: Sequence[Metric], rng: Random) -> Report:
    metric = rng.choice(agreed)  # before any call is looked at
    truth = true_value(metric, rng.choice(calls) if calls else None)
    answer = LocalRandomiser(metric.values, metric.epsilon).randomise(truth, rng)
    return Report(window, metric.name, answer, metric.epsilon)
