"""What devices report: one value a metric and window, randomised before it leaves the device."""

from __future__ import annotations

from dataclasses import dataclass

REPORTS_BEFORE_RELEASE = 50
"""Reports that a figure must rest on before it is released (k-anonymity in production is around 50)."""


@dataclass(frozen=True, slots=True)
class Metric:
    """A question that every consenting device answers once a window.

    Attributes:
        name: As in the API.
        values: The closed domain; every device holds exactly one of them in a window.
        epsilon: Local differential privacy of one answer.
    """

    name: str
    values: tuple[str, ...]
    epsilon: float


VERDICT = Metric("verdict", ("none", "normal", "suspicious", "dangerous"), epsilon=2.0)
"""The verdict of one call drawn at random from the window; ``none`` where there was no call."""

METRICS = {VERDICT.name: VERDICT}
