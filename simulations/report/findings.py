"""The page's headings: each says what was found, computed from the numbers, also when it got worse."""

from __future__ import annotations

import math
from collections.abc import Sequence

from models.domain.call import Label, ScamType
from models.domain.privacy import PrivacyStatement, PrivacyUnit, show_epsilon
from models.domain.release import Verdict
from models.domain.round import ReplyFate
from models.page.text import Text, decimal, file_size, join_words
from models.page.wording import FATES, SCAM_TYPES, UNUSABLE, VERDICTS
from simulations.report.content import ReportContent, RoundOutcome, Scores
from simulations.report.product import CallDetection, ReleaseCard, StatisticsOutcome
from simulations.report.wording import adversary_text, towards

Z_95 = 1.959964
"""Two-sided 95 % quantile of the normal distribution."""

NOTHING = Text("", "")

LOOSE_FROM = math.exp(10)
"""Above epsilon 10 a guarantee is not called reasonable any more (Ponomareva et al. 2023, "How to DP-fy ML")."""

LARGEST_TOLD = math.log(1e6)
"""Beyond a factor of a million the number itself says nothing more."""


def find_training(content: ReportContent) -> Text:
    """Say how many replies came and were used."""
    asked = sum(outcome.report.asked for outcome in content.rounds)
    folded = sum(outcome.folded for outcome in content.rounds)
    dropped = sum(outcome.dropped_out for outcome in content.rounds)
    refused = sum(outcome.refused for outcome in content.rounds)
    unusable, rounds = asked - folded - dropped - refused, len(content.rounds)
    others = _also(refused, FATES[ReplyFate.REFUSED]) + _also(unusable, UNUSABLE)
    used = Text(
        f"In {rounds} round{'s' if rounds > 1 else ''} {folded:,} of {asked:,} requested updates were folded in; ",
        f"{rounds}개 라운드에서 요청한 업데이트 {asked:,}건 중 {folded:,}건 반영, ",
    )
    return used + Text(f"{dropped:,} never came", f"{dropped:,}건 응답 없음") + others


def _also(count: int, what: Text) -> Text:
    return Text(f", {count:,} ", f", {count:,}건 ") + what if count else NOTHING


def list_mishaps(outcome: RoundOutcome) -> list[Text]:
    """Name what went wrong in a round, with how often; nothing where nothing did."""
    counts = [(FATES[fate], count) for fate, count in outcome.mishaps.items()]
    if outcome.report.wrong_shares:
        counts.append((Text("wrong shares", "잘못된 비밀 조각"), outcome.report.wrong_shares))
    aborted = [Text("secure round aborted", "안전 집계 중단")] if outcome.report.aborted else []
    return aborted + [name + Text(f" {count}", f" {count}") for name, count in counts]


def find_accuracy(content: ReportContent) -> Text:
    """Say what became of the recall on the type that nobody had trained on, or of F1 where there is no such type."""
    unseen, before, after = content.run.unseen_type, content.before, content.after
    if unseen is None or unseen not in before.recall_by_type or unseen not in after.recall_by_type:
        return describe_change(Text("F1", "F1은"), before.f1, after.f1)
    kind = SCAM_TYPES[unseen]
    name = Text(
        f"Recall on the type nobody had trained on ({kind.inside.en})",
        f"아무도 학습하지 않은 유형({kind.ko})의 재현율은",
    )
    change = describe_change(name, before.recall_by_type[unseen], after.recall_by_type[unseen])
    if may_be_chance(before, after, unseen):
        n = after.calls_by_type[unseen]
        return change + Text(f", but {n} calls are too few to rule out chance", f" (통화 {n}건으로는 우연일 수 있다)")
    return change


def may_be_chance(before: Scores, after: Scores, kind: ScamType) -> bool:
    """Whether a recall changed by so little that the two 95 % intervals overlap."""
    old, new = before.recall_by_type[kind], after.recall_by_type[kind]
    low, high = sorted([(old, before.calls_by_type[kind]), (new, after.calls_by_type[kind])])
    return decimal(old) != decimal(new) and wilson_interval(*low)[1] >= wilson_interval(*high)[0]


def wilson_interval(share: float, n: int) -> tuple[float, float]:
    """Return the 95 % interval of a share seen in n calls (Wilson 1927); everything is possible at n = 0."""
    if n == 0:
        return 0.0, 1.0
    centre = (share + Z_95**2 / (2 * n)) / (1 + Z_95**2 / n)
    half = Z_95 / (1 + Z_95**2 / n) * math.sqrt(share * (1 - share) / n + Z_95**2 / (4 * n * n))
    return centre - half, centre + half


def describe_change(name: Text, old: float, new: float, digits: int = 2) -> Text:
    """Say that a figure rose, fell or stayed, judged by the digits that are printed.

    Args:
        name: The figure; in Korean with its particle.
        old: Before.
        new: After.
        digits: Digits printed after the point.
    """
    first, last = decimal(old, digits), decimal(new, digits)
    if first == last:
        return name + Text(f" stayed at {last}", f" {last} 그대로다")
    verb, korean = ("rose", "올랐다") if new > old else ("fell", "떨어졌다")
    return name + Text(f" {verb} from {first} to {last}", f" {first}에서 {towards(last)} {korean}")


def find_losses(before: Scores, after: Scores) -> Text | None:
    """Name the types on which recall fell, and which of that may be chance; ``None`` where it fell on none."""
    both = sorted(before.recall_by_type.keys() & after.recall_by_type.keys())
    fell = [k for k in both if float(decimal(after.recall_by_type[k])) < float(decimal(before.recall_by_type[k]))]
    if not fell:
        return None
    changes = [(decimal(before.recall_by_type[k]), decimal(after.recall_by_type[k])) for k in fell]
    kinds = [(SCAM_TYPES[kind], f"({old} → {new})") for kind, (old, new) in zip(fell, changes, strict=True)]
    doubt = NOTHING
    if all(may_be_chance(before, after, kind) for kind in fell):
        doubt = Text("; so small a change may be chance", ". 이 정도 변화는 우연일 수 있다")
    return Text(
        "Recall fell on " + join_words([f"{kind.inside.en} {change}" for kind, change in kinds]),
        "재현율이 떨어진 유형: " + ", ".join(f"{kind.ko} {change}" for kind, change in kinds),
    ) + (doubt + Text(".", "."))


def choose_headline(privacy: tuple[PrivacyStatement, ...]) -> list[PrivacyStatement]:
    """Return the figures of the widest unit that the run protects: a person's before a call's, never both."""
    units = {statement.unit for statement in privacy}
    unit = PrivacyUnit.PERSON if PrivacyUnit.PERSON in units else PrivacyUnit.CALL
    return [statement for statement in privacy if statement.unit is unit]


def find_privacy(privacy: tuple[PrivacyStatement, ...]) -> Text:
    """Say what it cost in epsilon, or that the run protected nobody."""
    if not privacy:
        return Text("This run protected nobody: it trained without privacy", "보호 없이 학습한 실행이다")
    shown = choose_headline(privacy)
    name = Text("person", "사람") if shown[0].unit is PrivacyUnit.PERSON else Text("call", "통화")
    costs = [(show_epsilon(statement.epsilon), adversary_text(statement)) for statement in shown]
    return Text(
        f"The cost per {name.en}: epsilon " + " and ".join(f"{epsilon} against {who.en}" for epsilon, who in costs),
        f"{name.ko} 단위 비용: 엡실론 " + ", ".join(f"{epsilon} ({who.ko} 기준)" for epsilon, who in costs),
    )


def bound_odds(epsilon: float) -> Text:
    """Say by what factor, e to the epsilon, the odds that somebody took part can change at most."""
    if epsilon > LARGEST_TOLD:
        return Text("over a million: promises nothing", "백만 배 초과: 보장하는 것이 없다")
    factor = math.exp(epsilon)
    printed = decimal(factor, 0 if factor >= 10 else 1)
    loose = Text(": promises little", ": 보장이 약하다") if factor > LOOSE_FROM else NOTHING
    return Text(f"{printed} times", f"{printed}배") + loose


def find_release(release: ReleaseCard) -> Text:
    """Say whether the gate let the model through, and what INT8 costs in score."""
    if not release.released:
        failed = ", ".join(f"{check.name} {check.measured}" for check in release.gate if not check.passed)
        return Text(
            f"Nothing was released: the gate refused the model for its {failed}", f"배포하지 않음: 승인 거부 ({failed})"
        )
    size = file_size(release.size_on_devices)
    difference = decimal(release.quantisation.largest_score_difference, 4)
    return Text(
        f"Release {release.version} passed its gate: {size}, INT8 scores within {difference} of FP32",
        f"배포판 {release.version} 승인 통과: {size}, INT8과 FP32의 점수 차 최대 {difference}",
    )


def find_detection(detection: CallDetection) -> Text:
    """Say whether the device warned, when, and whether it was right to."""
    warning = detection.first_warning
    scam = detection.call.label is Label.VISHING
    if warning is None and scam:
        return Text("The device missed this scam call: it never warned", "이 사기 통화를 놓쳤다: 경고가 없었다")
    if warning is None:
        return Text("The device stayed silent, rightly: the call was normal", "정상 통화였고 기기는 경고하지 않았다")
    when = Text(f"{warning.seconds:g} s into ", f"통화 {warning.seconds:g}초에 ")
    verdict, score = VERDICTS[warning.verdict], decimal(warning.score)
    said = Text(f": {verdict.en}, score {score}", f": {verdict.ko}, 점수 {score}")
    if scam:
        return when + Text("the scam call the device warned", "기기가 사기를 경고했다") + said
    return when + Text("a normal call the device raised a false alarm", "정상 통화인데 오경보를 냈다") + said


def find_statistics(outcomes: Sequence[StatisticsOutcome]) -> Text:
    """Say what the API could learn: how many intervals hold the truth, or that it released nothing."""
    answers, told = sum(outcome.reports for outcome in outcomes), len(outcomes)
    held = [
        estimate.low <= outcome.true_shares[value] <= estimate.high
        for outcome in outcomes
        if outcome.estimates is not None
        for value, estimate in outcome.estimates.items()
    ]
    if not held:
        return Text(
            f"The API released nothing: {answers} answers came, and a question needs {outcomes[0].threshold}",
            f"공개된 통계 없음: 응답 {answers}건, 질문마다 {outcomes[0].threshold}건 필요",
        )
    question = "question" if told == 1 else "questions"
    return Text(
        f"From {answers} randomised answers to {told} {question} the API estimated the shares; "
        f"{sum(held)} of {len(held)} intervals hold the true one",
        f"질문 {told}개에 대한 무작위 응답 {answers}건으로 비율을 추정했고, "
        f"구간 {len(held)}개 중 {sum(held)}개가 실제 값을 담는다",
    )


def is_warning(verdict: Verdict) -> bool:
    """Whether the device speaks up."""
    return verdict is not Verdict.NORMAL
