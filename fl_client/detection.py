"""Judging a call while it runs: every word is fed once, and each window ends in a verdict, key tokens and a reason."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from models.detector.decision import decide
from models.detector.evidence import EvidenceFinder
from models.detector.explanation import Explainer, Finding, TemplateExplainer
from models.detector.key_tokens import select_key_tokens
from models.detector.runtime import OnnxDetector
from models.domain.call import Call
from models.domain.release import Verdict
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
        self._thresholds, self._explainer = detector.thresholds, explainer
        self._listener = detector.begin()
        self._evidence = EvidenceFinder()
        self._words: list[str] = []

    def hear(self, words: Sequence[str]) -> None:
        """Take in the words spoken since the last time; none is fine."""
        self._listener.hear(words)
        self._evidence.hear(words)
        self._words.extend(words)

    def judge(self, seconds: float) -> Judgement:
        """Return what is to be said of everything heard so far.

        Before the first word the score is even, which no release's thresholds warn of.
        """
        score = self._listener.score
        verdict = decide(score, self._thresholds)
        tokens = select_key_tokens(self._words, self._listener.attention)
        reason = self._explainer.explain(Finding(verdict, tokens, self._evidence.found, self._words))
        return Judgement(seconds, score, verdict, tokens, reason)


def judge_call(call: Call, detector: OnnxDetector, explainer: Explainer = TEMPLATES) -> Iterator[Judgement]:
    """Judge a call as it grows: after 10, 20, 30, 60, 120, 180 s, then every 60 s, until all of it was heard."""
    judge, growing = CallJudge(detector, explainer), GrowingCall(call)
    while True:
        seconds, words = growing.next_window()
        judge.hear(words)
        yield judge.judge(seconds)
        if growing.ended:
            return


def earliest_warning(judgements: Iterable[Judgement]) -> Judgement | None:
    """Return the first judgement that warns, or None."""
    return next((judgement for judgement in judgements if judgement.verdict is not Verdict.NORMAL), None)
