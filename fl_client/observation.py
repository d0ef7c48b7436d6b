"""What a device keeps of a call for the statistics, and the true value that it holds for each question."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from models.domain.call import Label, ScamType
from models.domain.release import Verdict
from models.domain.statistic import (
    CALL_LENGTH,
    KEPT,
    LENGTHS,
    NEWEST,
    NO_CALL,
    NO_SCAM,
    NOT_WARNED,
    OLDER,
    OVERRIDDEN,
    OVERRIDE,
    PREVIOUS,
    RELEASE,
    SCAM_TYPE,
    SCORE,
    SCORES,
    UNKNOWN_WORD_SHARE,
    UNKNOWN_WORDS,
    UNMEASURED,
    VERDICT,
    Metric,
)


@dataclass(frozen=True, slots=True)
class CallObservation:
    """Kinds and numbers of one call, no word of it. Sensitive: it never leaves the device as it is.

    Attributes:
        verdict: After ``JUDGED_AT_SECONDS`` of the call, or at its end where that came first.
        score: The same moment's, calibrated.
        seconds: That the call lasted.
        warned: At any moment of it.
        scam_type: What its owner said, else what was heard points to.
        unknown_words: Share of the words up to that moment that the release doesn't know; ``None`` where it can't tell.
        releases_behind: The release that judged it, counted back from the newest that the device had seen.
        label: What its owner said that it was; ``None`` where they said nothing. Normal is 보이스피싱 아님.
    """

    verdict: Verdict
    score: float
    seconds: float
    warned: bool
    scam_type: ScamType = ScamType.UNKNOWN
    unknown_words: float | None = None
    releases_behind: int = 0
    label: Label | None = None


def true_value(metric: Metric, call: CallObservation | None) -> str:
    """Return what a device holds for a question, where this call was drawn or, with ``None``, there was none.

    Sensitive: for the randomiser's eyes only.
    """
    return NO_CALL if call is None else _QUESTIONS[metric.name](call)


def _scam_type(call: CallObservation) -> str:
    """Who was called knows better than the detector, in both directions."""
    is_scam = call.warned if call.label is None else call.label is Label.VISHING
    return call.scam_type.value if is_scam else NO_SCAM


def _override(call: CallObservation) -> str:
    if not call.warned:
        return NOT_WARNED
    return OVERRIDDEN if call.label is Label.NORMAL else KEPT


def _unknown_words(call: CallObservation) -> str:
    return UNMEASURED if call.unknown_words is None else UNKNOWN_WORDS.name_of(call.unknown_words)


_QUESTIONS: Mapping[str, Callable[[CallObservation], str]] = {
    VERDICT.name: lambda call: call.verdict.value,
    SCAM_TYPE.name: _scam_type,
    SCORE.name: lambda call: SCORES.name_of(call.score),
    CALL_LENGTH.name: lambda call: LENGTHS.name_of(call.seconds),
    RELEASE.name: lambda call: (NEWEST, PREVIOUS, OLDER)[min(call.releases_behind, 2)],
    OVERRIDE.name: _override,
    UNKNOWN_WORD_SHARE.name: _unknown_words,
}
"""How each question's true value follows from the drawn call."""
