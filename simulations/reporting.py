"""Devices that take part in the statistics: they enrol, consent, randomise one verdict a week and send it, signed."""

from __future__ import annotations

import random
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx

from fl_client.api_answers import ConsentText, Figure
from fl_client.api_client import ApiClient
from fl_client.api_connection import NotReleasedError
from fl_client.statistics import NO_CALL, Report, ReportBook, make_report
from models.detector.decision import decide
from models.detector.runtime import OnnxDetector
from models.domain.call import Call
from models.domain.consent import Purpose
from models.domain.release import Verdict
from models.domain.statistic import REPORTS_BEFORE_RELEASE, VERDICT
from models.domain.window import Window, open_window
from models.errors import ConsentRefusedError
from models.text.window import words_until
from simulations.report.product import ShareEstimate, StatisticsOutcome

CONSENTING = 0.9
"""Share of the devices whose owners consent to statistics."""

JUDGED_AT_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Reported:
    """What the devices did.

    Attributes:
        window: The week that is reported on: the one that the API takes reports for.
        true_values: Of the consenting devices, before randomisation: one call drawn at random, or none.
        reports: As sent.
        refused: Devices without consent that the API turned away.
        witness: A consenting device, who may read the released figures.
    """

    window: Window
    true_values: tuple[str, ...]
    reports: tuple[Report, ...]
    refused: int
    witness: ApiClient


def judge_population(detector: OnnxDetector, dealt: Sequence[Sequence[Call]]) -> list[list[Verdict]]:
    """Return each device's verdicts on its own calls, by the installed release."""
    words = [words_until(call, JUDGED_AT_SECONDS) for calls in dealt for call in calls]
    verdicts = iter([decide(float(score), detector.thresholds) for score in detector.score_batch(words)])
    return [[next(verdicts) for _ in calls] for calls in dealt]


def report_verdicts(
    connection: httpx.Client, verdicts: Sequence[Sequence[Verdict]], seed: int, advance: Callable[[], None]
) -> Reported | None:
    """Let every device enrol and report, with consent or without.

    Args:
        connection: To the API.
        verdicts: Each device's, on this week's calls.
        seed: Decides who consents and what is drawn: the simulation must repeat. People's devices use the operating
            system's randomness.
        advance: Called after each device.

    Returns:
        What they did; ``None`` where nobody consented.
    """
    window = open_window(datetime.now(UTC))
    text = _statistics_text(connection)
    rng = random.Random(seed)  # noqa: S311  a simulation's
    reported: list[tuple[str, Report, ApiClient]] = []
    refused = 0
    with tempfile.TemporaryDirectory() as books:
        for number, own in enumerate(verdicts):
            consents = rng.random() < CONSENTING
            client = _enrolled(connection, text if consents else None)
            drawn = [rng.choice(own)] if own else []
            report = make_report(window, drawn, {Purpose.STATISTICS}, ReportBook(Path(books) / f"{number}.json"), rng)
            try:
                client.send_report(report)
            except ConsentRefusedError:
                refused += 1
            else:
                reported.append((drawn[0].value if drawn else NO_CALL, report, client))
            advance()
    if not reported:
        return None
    values, reports, clients = zip(*reported, strict=True)
    return Reported(window, values, reports, refused, clients[0])


def learn(reported: Reported) -> StatisticsOutcome:
    """Return what the API could learn, beside what the devices hold and what they sent."""
    answers = Counter(report.answers[VERDICT.name] for report in reported.reports)
    return StatisticsOutcome(
        metric=VERDICT,
        true_shares=_shares(Counter(reported.true_values)),
        received_shares=_shares(answers),
        estimates=_estimates(reported),
        reports=len(reported.reports),
        threshold=REPORTS_BEFORE_RELEASE,
        refused=reported.refused,
    )


def _statistics_text(connection: httpx.Client) -> ConsentText:
    texts = ApiClient(connection).consent_texts()
    return next(text for text in texts if text.purpose is Purpose.STATISTICS and text.language == "ko")


def _enrolled(connection: httpx.Client, text: ConsentText | None) -> ApiClient:
    client = ApiClient(connection, ApiClient(connection).enroll())
    if text is not None:
        client.give_consent(text)
    return client


def _estimates(reported: Reported) -> dict[str, ShareEstimate] | None:
    try:
        figure: Figure = reported.witness.figure(VERDICT.name, reported.window)
    except NotReleasedError:
        return None
    return {value: ShareEstimate(e.share, e.low, e.high) for value, e in figure.estimates.items()}


def _shares(counts: Counter[str]) -> dict[str, float]:
    return {value: counts[value] / counts.total() for value in VERDICT.values}
