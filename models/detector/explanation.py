"""Why the detector says what it says, in Korean, from the evidence found: no word of the call but the key tokens.

A language model on the device can be plugged in through `Explainer`; `CheckedExplainer` looks at what it writes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from models.detector.decision import FEWEST_WORDS
from models.detector.evidence import Aspect, Evidence
from models.domain.release import Verdict
from models.text.particles import Particle, with_particle

VERDICT_NAMES = {Verdict.NORMAL: "정상", Verdict.SUSPICIOUS: "의심", Verdict.DANGEROUS: "위험"}
"""What people are shown."""

_OPENINGS = {
    Verdict.SUSPICIOUS: "보이스피싱일 수 있습니다.",
    Verdict.DANGEROUS: "보이스피싱일 가능성이 높습니다.",
}
_ADVICE = {
    Verdict.SUSPICIOUS: "돈이나 개인 정보를 건네기 전에 공식 대표 번호로 직접 확인하세요.",
    Verdict.DANGEROUS: "전화를 끊고 공식 대표 번호로 직접 확인하세요.",
}
_NOTHING_HEARD = "아직 들린 말이 없어 판단하지 않았습니다."
_LITTLE_HEARD = "아직 들린 말이 적어 판단하지 않았습니다."
_NOTHING_FOUND = "보이스피싱에서 흔한 요구나 압박은 들리지 않았습니다."
_ONLY_THE_FLOW = "말의 흐름이 보이스피싱과 비슷합니다."

_VERBS = {
    Aspect.CALLER: (Particle.OBJECT, "내세우"),
    Aspect.REQUEST: (Particle.OBJECT, "요구하"),
    Aspect.THREAT: (Particle.BY, "압박하"),
    Aspect.LURE: (Particle.OBJECT, "미끼로 쓰"),
}
_MOST_NAMES = 2


@dataclass(frozen=True, slots=True)
class Finding:
    """What is known of a call when it is judged.

    Attributes:
        verdict: What the device says.
        key_tokens: The words that may be repeated to people.
        evidence: What was found, the most frequent first.
        words: All words heard. Sensitive: for a language model on this device, and never shown.
    """

    verdict: Verdict
    key_tokens: tuple[str, ...]
    evidence: tuple[Evidence, ...]
    words: Sequence[str] = field(repr=False)


class Explainer(Protocol):
    """Gives a reason in Korean for a finding; a local language model implements this."""

    def explain(self, finding: Finding) -> str:
        """Return a sentence or a few. No word of the call but the key tokens may stand in it."""
        ...


class TemplateExplainer:
    """Sentences written for this project, filled with kinds of evidence and key tokens."""

    def explain(self, finding: Finding) -> str:
        """Return the reason for a finding."""
        if not finding.words:
            return _NOTHING_HEARD
        if len(finding.words) < FEWEST_WORDS and finding.verdict is Verdict.NORMAL:
            return _LITTLE_HEARD
        if finding.verdict is Verdict.NORMAL:
            return " ".join([_explain_normal(finding.evidence), *_name_tokens(finding.key_tokens)])
        why = [_tell_evidence(finding.evidence), *_name_tokens(finding.key_tokens)]
        return frame_warning(finding.verdict, " ".join(why))


def frame_warning(verdict: Verdict, why: str) -> str:
    """Return a warning's reason between what it amounts to and what to do, which nobody else may word."""
    return f"{_OPENINGS[verdict]} {why} {_ADVICE[verdict]}"


def _explain_normal(evidence: Sequence[Evidence]) -> str:
    if not evidence:
        return _NOTHING_FOUND
    names = ", ".join(kind.name for kind in evidence[:_MOST_NAMES])
    return f"{names}에 관한 말이 들렸지만, 통화의 흐름은 보이스피싱과 다릅니다."


def _tell_evidence(evidence: Sequence[Evidence]) -> str:
    """Say in one sentence who is claimed to call, what is asked and which pressure or lure is used."""
    told = [(aspect, _names_of(aspect, evidence)) for aspect in Aspect]
    phrases = [_phrase(aspect, names) for aspect, names in told if names]
    if not phrases:
        return _ONLY_THE_FLOW
    *firsts, last = phrases
    links = ["고"] * max(len(firsts) - 1, 0) + ["며"] * bool(firsts)
    joined = "".join(f"{phrase}{link} " for phrase, link in zip(firsts, links, strict=True))
    return f"{joined}{last}는 말이 들렸습니다."


def _names_of(aspect: Aspect, evidence: Sequence[Evidence]) -> list[str]:
    of_aspect = [kind for kind in evidence if kind.aspect is aspect]
    if aspect is Aspect.CALLER:
        # A prosecutor's call speaks of banks more often than of prosecutors; a bank's own never of prosecutors.
        of_aspect.sort(key=lambda kind: kind.rank)
    return [kind.name for kind in of_aspect[:_MOST_NAMES]]


def _phrase(aspect: Aspect, names: Sequence[str]) -> str:
    particle, verb = _VERBS[aspect]
    *firsts, last = names
    listed = "".join(f"{with_particle(name, Particle.WITH)} " for name in firsts)
    return f"{listed}{with_particle(last, particle)} {verb}"


def _name_tokens(tokens: Sequence[str]) -> list[str]:
    if not tokens:
        return []
    quoted = [f"‘{token}’" for token in tokens]
    subject = with_particle(", ".join(quoted), Particle.SUBJECT)
    return [f"판단에는 {subject} 가장 크게 작용했습니다."]
