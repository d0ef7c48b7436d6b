"""Judging a call while it runs: every word is fed once, and each window ends in a verdict, key tokens and a reason."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from fl_client.observation import CallObservation
from models.detector.decision import decide
from models.detector.evidence import Evidence, EvidenceFinder
from models.detector.explanation import Explainer, Finding, TemplateExplainer
from models.detector.key_tokens import select_key_tokens
from models.detector.runtime import OnnxDetector
from models.detector.scam_type import guess_scam_type
from models.domain.call import Call, Label, ScamType
from models.domain.release import Verdict
from models.domain.statistic import JUDGED_AT_SECONDS
from models.text.growing_call import GrowingCall

TEMPLATES = TemplateExplainer()


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the device says of a call at one moment.

    Attributes:
        seconds: Since the call began.
        score: Calibrated, 0 to 1.
        verdict: Nothing to say, 의심 or 위험.
        key_tokens: At most five words of the call. Sensitive: for its owner's eyes.
        reason: In Korean; holds no word of the call but the key tokens.
    """

    seconds: float
    score: float
    verdict: Verdict
    key_tokens: tuple[str, ...]
    reason: str


class CallJudge:
    """Listens to one call. The words die with it."""

    def __init__(self, detector: OnnxDetector, explainer: Explainer = TEMPLATES) -> None:
        self._card, self._explainer = detector.card, explainer
        self._listener = detector.begin()
        self._evidence = EvidenceFinder()
        self._words: list[str] = []

    def hear(self, words: Sequence[str]) -> None:
        """Take in the words spoken since the last time; none is fine."""
        self._listener.hear(words)
        self._evidence.hear(words)
        self._words.extend(words)

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        """Kinds of evidence found so far."""
        return self._evidence.found

    @property
    def unknown_words(self) -> float | None:
        """Share of the words heard so far that the release doesn't know; ``None`` where it can't tell."""
        vocabulary = self._card.vocabulary
        return None if vocabulary is None else vocabulary.unknown_share(self._words)

    def judge(self, seconds: float) -> Judgement:
        """Return what is to be said of everything heard so far.

        Before the first word the score is even, which no release's thresholds warn of. Nor is anybody warned before
        `FEWEST_WORDS` were heard, whatever they score.
        """
        score = self._listener.score
        verdict = decide(score, len(self._words), self._card.thresholds)
        tokens = select_key_tokens(self._words, self._listener.attention)
        reason = self._explainer.explain(Finding(verdict, tokens, self._evidence.found, self._words))
        return Judgement(seconds, score, verdict, tokens, reason)


def judge_call(call: Call, detector: OnnxDetector, explainer: Explainer = TEMPLATES) -> Iterator[Judgement]:
    """Judge a call as it grows: after 10, 20, 30, 60, 120, 180 s, then every 60 s, until all of it was heard."""
    return _follow(CallJudge(detector, explainer), GrowingCall(call))


def _follow(judge: CallJudge, growing: GrowingCall) -> Iterator[Judgement]:
    while True:
        seconds, words = growing.next_window()
        judge.hear(words)
        yield judge.judge(seconds)
        if growing.ended:
            return


def earliest_warning(judgements: Iterable[Judgement]) -> Judgement | None:
    """Return the first judgement that warns, or None."""
    return next((judgement for judgement in judgements if judgement.verdict is not Verdict.NORMAL), None)


def observe_call(
    call: Call, detector: OnnxDetector, releases_behind: int = 0, label: Label | None = None
) -> CallObservation:
    """Judge a call as it grows and return what is kept of it for the statistics.

    Args:
        call: With time stamps its length is exact, without them that of the last window.
        detector: Of the release in use.
        releases_behind: Counted back from the newest release that the device has seen.
        label: What the call's owner said of it, with its type in the call; ``None`` where they said nothing.
    """
    judge, unknown_words = CallJudge(detector), None
    judgements: list[Judgement] = []
    for judgement in _follow(judge, GrowingCall(call)):
        judgements.append(judgement)
        if judgement.seconds <= JUDGED_AT_SECONDS:
            moment, unknown_words = judgement, judge.unknown_words
    said = call.scam_type if label is Label.VISHING else ScamType.UNKNOWN
    return CallObservation(
        verdict=moment.verdict,
        score=moment.score,
        seconds=max((segment.end for segment in call.segments), default=judgements[-1].seconds),
        warned=earliest_warning(judgements) is not None,
        scam_type=guess_scam_type(judge.evidence) if said is ScamType.UNKNOWN else said,
        unknown_words=unknown_words,
        releases_behind=releases_behind,
        label=label,
    )
