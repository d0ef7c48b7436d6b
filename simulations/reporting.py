"""Phones that take part in the statistics: they enrol, consent, randomise one answer a window and send it, signed."""

from __future__ import annotations

import random
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx

from fl_client.api_answers import ConsentText
from fl_client.api_client import ApiClient
from fl_client.api_connection import NotReleasedError
from fl_client.detection import observe_call
from fl_client.observation import CallObservation, true_value
from fl_client.report_book import Report, ReportBook, turn_of
from fl_client.statistics import make_report
from models.detector.runtime import OnnxDetector
from models.domain.call import Call, Label
from models.domain.consent import Purpose
from models.domain.statistic import METRICS, REPORTS_BEFORE_RELEASE, Metric
from models.domain.window import Window, open_window
from models.errors import ConsentRefusedError
from simulations.report.product import ShareEstimate, StatisticsOutcome

PHONES_A_DEVICE = 3
"""Phones that are asked to report, for each that trains; they hold calls like its own. Consents are apart, and seven
questions need 50 answers each."""

CONSENTING = 0.9
"""Share of the phones whose owners consent to statistics."""

LABELLING = 0.5
"""Share of the calls of which the owner says what they were: 보이스피싱 아님, or which scam. An assumption."""

_AT_ONCE = 4
"""Phones that talk to the API at the same time."""


@dataclass(frozen=True, slots=True)
class Phone:
    """One phone in the week that is reported on, its turn.

    Attributes:
        call: The one drawn out of its calls, ``None`` where there is none.
        consents: Whether its owner consented to statistics.
    """

    call: CallObservation | None
    consents: bool


@dataclass(frozen=True, slots=True)
class Reported:
    """What the phones did.

    Attributes:
        window: The week that is reported on: the one that the API takes reports for.
        calls: Drawn by the consenting phones, as they are before randomisation.
        reports: As sent.
        refused: Phones without consent that the API turned away.
        witness: A consenting phone, who may read the released figures.
    """

    window: Window
    calls: tuple[CallObservation | None, ...]
    reports: tuple[Report, ...]
    refused: int
    witness: ApiClient

    @property
    def can_be_released(self) -> bool:
        """Whether some question has the answers that a release needs."""
        return max(Counter(report.metric for report in self.reports).values()) >= REPORTS_BEFORE_RELEASE


def gather_phones(detector: OnnxDetector, dealt: Sequence[Sequence[Call]], seed: int) -> Iterator[Phone]:
    """Yield phones with calls like those of the devices that train, judged by the installed release.

    Args:
        detector: The release.
        dealt: Each training device's calls.
        seed: Decides who consents, which call is drawn and what owners say: the simulation must repeat.
    """
    rng = random.Random(seed)  # noqa: S311  a simulation's
    for calls in [calls for calls in dealt for _ in range(PHONES_A_DEVICE)]:
        consents, call = rng.random() < CONSENTING, rng.choice(calls) if calls else None
        label: Label | None = call.label if call is not None and rng.random() < LABELLING else None
        yield Phone(None if call is None else observe_call(call, detector, label=label), consents)


def report_calls(
    connection: httpx.Client, phones: Iterable[Phone], seed: int, advance: Callable[[], None]
) -> Reported | None:
    """Let every phone enrol and report, with consent or without.

    Args:
        connection: To the API.
        phones: Whose turn it is this week.
        seed: Decides what is drawn. People's devices use the operating system's randomness.
        advance: Called after each phone.

    Returns:
        What they did; ``None`` where nobody consented.
    """
    window, text = open_window(datetime.now(UTC)), _statistics_text(connection)
    drawn = list(_draw_reports(phones, window, text.version, seed))

    def take_part(one: tuple[Phone, Report]) -> ApiClient | None:
        phone, report = one
        client = _enrolled(connection, text if phone.consents else None)
        accepted = _is_accepted(client, report)
        advance()
        return client if accepted else None

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        clients = list(pool.map(take_part, drawn))
    accepted = [(phone, report, client) for (phone, report), client in zip(drawn, clients, strict=True) if client]
    if not accepted:
        return None
    calls, reports = tuple(phone.call for phone, _, _ in accepted), tuple(report for _, report, _ in accepted)
    return Reported(window, calls, reports, len(drawn) - len(accepted), accepted[0][2])


def _draw_reports(
    phones: Iterable[Phone], window: Window, text_version: str, seed: int
) -> Iterator[tuple[Phone, Report]]:
    """Yield phones with their reports, also of those who did not consent: the API is to turn them away."""
    rng = random.Random(seed)  # noqa: S311  a simulation's
    with tempfile.TemporaryDirectory() as books:
        for number, phone in enumerate(phones):
            book = ReportBook(Path(books) / f"{number}.json", turn_of(window))
            calls = [] if phone.call is None else [phone.call]
            yield phone, make_report(window, calls, text_version, book, rng)


def _is_accepted(client: ApiClient, report: Report) -> bool:
    try:
        client.send_report(report)
    except ConsentRefusedError:
        return False
    return True


def learn(reported: Reported) -> tuple[StatisticsOutcome, ...]:
    """Return what the API could learn of each question, beside what the phones hold and what they sent."""
    return tuple(_outcome(metric, reported) for metric in METRICS.values())


def _outcome(metric: Metric, reported: Reported) -> StatisticsOutcome:
    answers = [report.answer for report in reported.reports if report.metric == metric.name]
    held = Counter(true_value(metric, call) for call in reported.calls)
    told = Counter(value for answer in answers for value in answer)
    return StatisticsOutcome(
        metric=metric,
        true_shares={value: held[value] / held.total() for value in metric.values},
        received_shares={value: told[value] / max(len(answers), 1) for value in metric.values},
        estimates=_estimates(metric, reported),
        reports=len(answers),
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


def _estimates(metric: Metric, reported: Reported) -> dict[str, ShareEstimate] | None:
    try:
        figure = reported.witness.figure(metric.name, reported.window)
    except NotReleasedError:
        return None
    return {value: ShareEstimate(e.share, e.low, e.high) for value, e in figure.estimates.items()}
