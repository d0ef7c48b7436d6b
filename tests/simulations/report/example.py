"""A made-up run for the report's tests. Its figures are invented and stand for no result."""

from __future__ import annotations

from models.domain.call import Call, Label, ScamType, Segment
from models.domain.privacy import (
    Adversary,
    NeighbouringRelation,
    PrivacyMode,
    PrivacyStatement,
    PrivacyUnit,
    SimulatedCounts,
)
from models.domain.release import Thresholds, Verdict
from models.domain.round import ReplyFate, RoundReport
from models.domain.statistic import REPORTS_BEFORE_RELEASE, VERDICT
from simulations.report.content import (
    Clipping,
    ReportContent,
    RoundOutcome,
    RunFacts,
    Scores,
    SpentEpsilon,
    UpdateNorms,
)
from simulations.report.product import (
    CallDetection,
    GateCheck,
    Quantisation,
    ReleaseCard,
    ReleaseFile,
    ShareEstimate,
    StatisticsOutcome,
    WindowJudgement,
)

UNSEEN = ScamType.MESSENGER
KINDS = [kind for kind in ScamType if kind is not ScamType.UNKNOWN]


def example_run() -> RunFacts:
    return RunFacts(
        title="A new scam reaches 200 phones",
        scenario="held-out type",
        devices=200,
        cohort=50,
        privacy=PrivacyMode.PERSON,
        unseen_type=UNSEEN,
        own_calls=False,
        seconds=121.4,
        settings={"seed": "7", "local learning rate": "0.5"},
    )


def example_round(number: int, rounds: int) -> RoundOutcome:
    done = 1 - 0.86**number
    failed, refused = int(number % 7 == 0), int(number % 6 == 0)
    lost = 5 + number % 4
    f1 = 0.82 + 0.13 * done + 0.01 * (number % 3 - 1)
    return RoundOutcome(
        RoundReport(
            number=number,
            asked=50,
            fates={
                ReplyFate.FOLDED: 50 - lost - refused - failed,
                ReplyFate.NO_REPLY: lost,
                ReplyFate.REFUSED: refused,
                ReplyFate.NOT_FINITE: failed,
            },
            epsilon=1.44 * (number / rounds) ** 0.5,
            acceptance_f1=f1 + 0.01,
            acceptance_loss=0.4 - 0.2 * done,
            acceptance_loss_error=0.02,
            seconds=2.1,
        ),
        kept_apart_f1=f1,
        recall_by_type={UNSEEN: 0.31 + 0.6 * done},
        spent=(
            SpentEpsilon(PrivacyUnit.PERSON, Adversary.RECIPIENTS, 1.44 * (number / rounds) ** 0.5),
            SpentEpsilon(PrivacyUnit.PERSON, Adversary.SERVER, 5.22 + 8 * number / rounds),
        ),
        norms=UpdateNorms(0.1, 0.6 - 0.2 * done, 1.9 - 0.5 * done, Clipping(1.0, 0.3 - 0.1 * done)),
    )


def example_scores(f1: float, unseen_recall: float, other_recall: float, alarms: float) -> Scores:
    recalls = {kind: max(0.0, other_recall - 0.01 * place) for place, kind in enumerate(KINDS)} | {
        UNSEEN: unseen_recall
    }
    return Scores(f1, recalls, dict.fromkeys(KINDS, 60), alarms, 0.98, 1020)


def example_statement(against: Adversary, epsilon: float, simulated: bool = True) -> PrivacyStatement:
    return PrivacyStatement(
        unit=PrivacyUnit.PERSON,
        against=against,
        relation=NeighbouringRelation.ADD_OR_REMOVE,
        epsilon=epsilon,
        delta=1e-6,
        accountant="RDP",
        sampler="Poisson" if against is Adversary.RECIPIENTS else "none",
        population=100_000,
        cohort=1000,
        rounds=20,
        participations=5,
        simulated=SimulatedCounts(200, 50) if simulated else None,
    )


def example_release(passed: bool = True) -> ReleaseCard:
    return ReleaseCard(
        version="1.1.0",
        chosen_round=17,
        files=(
            ReleaseFile("detector.int8.onnx", 3_412_881),
            ReleaseFile("detector.int8.ort", 3_420_112),
            ReleaseFile("detector.json", 1_802),
        ),
        quantisation=Quantisation(0.0063, 0, 300, 0.255, 0.241),
        thresholds=Thresholds(0.52, 0.87),
        gate=(
            GateCheck("F1", "0.951" if passed else "0.842", "at least 0.900", passed),
            GateCheck("false alarms in 1,000", "8.2", "at most 15.0", True),
        ),
    )


def example_call() -> Call:
    lines = (
        "여보세요 엄마 나 휴대폰 액정이 깨졌어",
        "지금 수리 맡겨서 이 번호로 연락해",
        "급하게 결제할 게 있는데 상품권 좀 사서 보내줘",
    )
    segments = tuple(Segment(12.0 * i, 12.0 * i + 11, line) for i, line in enumerate(lines))
    return Call("demo-1", Label.VISHING, segments, scam_type=UNSEEN)


def example_detection() -> CallDetection:
    def window(seconds: float, score: float, verdict: Verdict, reason: str, *words: str) -> WindowJudgement:
        return WindowJudgement(seconds, score, verdict, words, reason)

    return CallDetection(
        example_call(),
        Thresholds(0.52, 0.87),
        (
            window(10, 0.22, Verdict.NORMAL, "아직 뚜렷한 위험 신호가 없습니다.", "휴대폰"),
            window(20, 0.61, Verdict.SUSPICIOUS, "가족을 사칭하며 다른 번호로 연락을 유도합니다.", "액정이", "번호로"),
            window(
                30, 0.93, Verdict.DANGEROUS, "가족을 사칭해 급히 상품권을 요구합니다.", "상품권", "급하게", "결제할"
            ),
            window(
                60, 0.97, Verdict.DANGEROUS, "가족을 사칭해 급히 상품권을 요구합니다.", "상품권", "급하게", "보내줘"
            ),
        ),
    )


def example_statistics(released: bool = True) -> StatisticsOutcome:
    true = dict(zip(VERDICT.values, (0.55, 0.36, 0.06, 0.03), strict=True))
    received = dict(zip(VERDICT.values, (0.44, 0.31, 0.13, 0.12), strict=True))
    spread = {"none": 0.53, "normal": 0.39, "suspicious": 0.04, "dangerous": 0.04}
    return StatisticsOutcome(
        VERDICT,
        true,
        received,
        {v: ShareEstimate(s, s - 0.09, s + 0.09) for v, s in spread.items()} if released else None,
        reports=163 if released else 43,
        threshold=REPORTS_BEFORE_RELEASE,
        refused=37,
    )


def example_content() -> ReportContent:
    return ReportContent(
        run=example_run(),
        rounds=tuple(example_round(number, 20) for number in range(1, 21)),
        before=example_scores(0.83, 0.31, 0.97, 11.8),
        after=example_scores(0.95, 0.86, 0.96, 8.1),
        privacy=(example_statement(Adversary.RECIPIENTS, 1.44), example_statement(Adversary.SERVER, 13.22)),
        release=example_release(),
        detection=example_detection(),
        statistics=(example_statistics(),),
    )
