"""What devices report: one question a window, drawn at random, and one value for it, randomised on the device."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass

from models.domain.call import ScamType
from models.domain.release import Verdict

REPORTS_BEFORE_RELEASE = 50
"""Answers that a figure must rest on before it is released (k-anonymity in production is around 50)."""

WINDOW_EPSILON = 2.0
"""Local differential privacy of all that a device tells of one window: one answer has it whole (decision 30)."""

JUDGED_AT_SECONDS = 60.0
"""Verdict, score and unknown words are those of this moment of a call, or of its end where that came first: calls of
all lengths, and a release's reference, are judged alike."""

NO_CALL = "none"
"""The value of a week without calls, in every metric; without it, silence would tell."""

UNMEASURED = "unmeasured"
"""The value where the installed release can't tell."""


@dataclass(frozen=True, slots=True)
class Metric:
    """A question that a device may draw. All of them are about the same call: one of the window's, drawn at random.

    Attributes:
        name: As in the API.
        values: The closed domain; every device holds exactly one of them in a window.
        epsilon: Local differential privacy of one answer.
        asked_since: Version of the statistics consent text that names it first: who agreed to an older one isn't asked.
    """

    name: str
    values: tuple[str, ...]
    epsilon: float = WINDOW_EPSILON
    asked_since: str = "2026-12"


@dataclass(frozen=True, slots=True)
class Bins:
    """Stretches of a number, each with a name.

    Attributes:
        edges: Where a stretch ends and the next begins; an edge belongs to the upper one.
        names: One more than edges.
    """

    edges: tuple[float, ...]
    names: tuple[str, ...]

    def name_of(self, number: float) -> str:
        """Return the name of the stretch that a number lies in."""
        return self.names[bisect_right(self.edges, number)]


SCORES = Bins(
    (0.01, 0.03, 0.1, 0.3, 0.5, 0.7, 0.9),
    ("0.00-0.01", "0.01-0.03", "0.03-0.10", "0.10-0.30", "0.30-0.50", "0.50-0.70", "0.70-0.90", "0.90-1.00"),
)
"""Calibrated scores, finer near 0, where most calls lie: no stretch held more than a third of any source measured."""

LENGTHS = Bins((30.0, 60.0, 180.0, 600.0), ("under_30s", "30s_to_1min", "1_to_3min", "3_to_10min", "over_10min"))
"""Seconds that a call lasted."""

UNKNOWN_WORDS = Bins((0.2, 0.3, 0.4, 0.5), ("under_20", "20_to_30", "30_to_40", "40_to_50", "over_50"))
"""Shares of a call's words that are not in the release's vocabulary, in percent."""

NO_SCAM = "no_scam"
"""A call of no scam: the device didn't warn, or the person said 보이스피싱 아님."""

NOT_WARNED, KEPT, OVERRIDDEN = "not_warned", "kept", "overridden"
"""What a person made of a warning: there was none; they let it stand; they said 보이스피싱 아님."""

NEWEST, PREVIOUS, OLDER = "newest", "previous", "older"
"""The release that judged a call, against the newest that its device had seen. No version: few run an old one."""

VERDICT = Metric("verdict", (NO_CALL, *(verdict.value for verdict in Verdict)), asked_since="2026-11")
SCAM_TYPE = Metric("scam_type", (NO_CALL, NO_SCAM, *(scam_type.value for scam_type in ScamType)))
SCORE = Metric("score", (NO_CALL, *SCORES.names))
CALL_LENGTH = Metric("call_length", (NO_CALL, *LENGTHS.names))
RELEASE = Metric("release", (NO_CALL, NEWEST, PREVIOUS, OLDER))
OVERRIDE = Metric("override", (NO_CALL, NOT_WARNED, KEPT, OVERRIDDEN))
UNKNOWN_WORD_SHARE = Metric("unknown_words", (NO_CALL, UNMEASURED, *UNKNOWN_WORDS.names))

METRICS = {
    metric.name: metric for metric in (VERDICT, SCAM_TYPE, SCORE, CALL_LENGTH, RELEASE, OVERRIDE, UNKNOWN_WORD_SHARE)
}


def metrics_agreed_to(text_version: str) -> tuple[Metric, ...]:
    """Return the questions that a version of the consent text names; versions are months, so they sort as text."""
    return tuple(metric for metric in METRICS.values() if metric.asked_since <= text_version)
