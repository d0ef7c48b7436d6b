"""What a window's figures are held against: the release's profile, or an earlier window."""

from __future__ import annotations

from collections.abc import Mapping

from models.domain.profile import CountsByLabel
from models.drift.histogram import IN_CLEAR, Channel, Histogram
from models.errors import BadInputError
from models.privacy.local_randomiser import Encoding, LocalRandomiser

ASSUMED_PREVALENCE = 0.01
"""Share of vishing at which an acceptance set's normal and vishing calls are mixed. An assumption, and a high one:
people's calls hold less."""


def figure_histogram(counts: Mapping[str, int], reports: int, epsilon: float) -> Histogram:
    """Return a released figure as a histogram that knows its noise.

    Args:
        counts: Answers that support each value, in the domain's order.
        reports: Answers in all.
        epsilon: What they were randomised with.

    Raises:
        BadInputError: It has no answer, or no mechanism randomises so.
    """
    randomiser = LocalRandomiser(tuple(counts), epsilon)
    channel = Channel(*randomiser.odds, exclusive=randomiser.encoding is Encoding.DIRECT)
    return Histogram(dict(counts), reports, channel)


def profile_histogram(counts: CountsByLabel, prevalence: float = ASSUMED_PREVALENCE) -> Histogram:
    """Return a profile's two histograms as the one of calls of which a share is vishing.

    It rests on as many calls as a plain sample that tells the mixed shares as well (Kish's effective sample size).

    Raises:
        BadInputError: A label has no call.
    """
    totals = {label: sum(values.values()) for label, values in counts.items()}
    if min(totals.values()) < 1:
        raise BadInputError("a profile needs calls of both labels")
    weights = {"normal": 1 - prevalence, "vishing": prevalence}
    calls = round(1 / sum(weights[label] ** 2 / totals[label] for label in counts))
    mixed = {
        value: calls * sum(weights[label] * counts[label][value] / totals[label] for label in counts)
        for value in counts["normal"]
    }
    return Histogram(mixed, calls, IN_CLEAR)
