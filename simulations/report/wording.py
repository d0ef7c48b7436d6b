"""The report's words in its two languages."""

from __future__ import annotations

from collections.abc import Sequence

from models.domain.privacy import Adversary, NeighbouringRelation, PrivacyMode, PrivacyStatement, PrivacyUnit
from models.page.text import Text
from models.privacy.accounting import DISTRIBUTED_ACCOUNTANT

UNITS = {PrivacyUnit.CALL: Text("one call", "통화 한 건"), PrivacyUnit.PERSON: Text("one person", "한 사람")}
ADVERSARIES = {
    Adversary.RECIPIENTS: Text("those who receive releases", "배포 모델 수신자"),
    Adversary.SERVER: Text("the server", "서버"),
}
RELATIONS = {
    NeighbouringRelation.ADD_OR_REMOVE: Text("add or remove one", "추가 또는 제거"),
    NeighbouringRelation.REPLACE: Text("replace one", "교체"),
    NeighbouringRelation.ZERO_OUT: Text("zero one out", "0으로 대체"),
}
MODES = {
    PrivacyMode.NONE: Text("none", "없음"),
    PrivacyMode.PERSON: Text("per person", "사람 단위"),
    PrivacyMode.CALL: Text("per call", "통화 단위"),
    PrivacyMode.BOTH: Text("per person and per call", "사람 단위와 통화 단위"),
    PrivacyMode.SECURE: Text("per person, under secure aggregation", "사람 단위, 안전 집계"),
}


GATE = {
    "F1 on the acceptance set": "승인용 데이터의 F1",
    "Cross-entropy on the acceptance set": "승인용 데이터의 교차 엔트로피",
    "INT8 score against FP32": "INT8과 FP32의 점수 차",
    "Verdicts that INT8 changes": "INT8로 바뀌는 판정",
}
SETTINGS = {
    "rounds": Text("Rounds asked for", "요청한 라운드"),
    "seed": Text("Seed", "시드"),
    "dropout": Text("Dropout", "이탈 비율"),
    "mechanism": Text("Noise mechanism", "잡음 방식"),
    "clipping": Text("Clipping", "절단 방식"),
    "robust": Text("Robust rule", "강건 규칙"),
}


def gate_text(condition: str) -> Text:
    """Name a condition of the gate in both languages."""
    return Text(condition, GATE.get(condition, condition))


def limit_text(required: str) -> Text:
    """Say a limit of the gate, ``at least 0.9`` or ``at most 0.9``, in both languages."""
    for english, korean in (("at least ", "이상"), ("at most ", "이하")):
        if required.startswith(english):
            return Text(required, f"{required.removeprefix(english)} {korean}")
    return Text(required, required)


def setting_text(name: str) -> Text:
    """Name a setting of the run in both languages."""
    return SETTINGS.get(name, Text(name, name))


def adversary_text(statement: PrivacyStatement) -> Text:
    """Name who a figure holds against, and say so where a server that adds the noise itself has to be believed."""
    masked = statement.accountant == DISTRIBUTED_ACCOUNTANT
    if statement.against is Adversary.SERVER and statement.unit is PrivacyUnit.PERSON and not masked:
        return Text("a server that keeps its word", "약속을 지키는 서버")
    return ADVERSARIES[statement.against]


def towards(number: str) -> str:
    """Return a printed number with the Korean particle 로 or 으로, which follows from how its last digit is read."""
    return number + ("으로" if number.rstrip("%")[-1] in "036" and not number.endswith("%") else "로")


def any_simulated_mark(privacy: Sequence[PrivacyStatement]) -> Text | None:
    """Return the first mark of several figures shown together; ``None`` where none is simulated."""
    return next((mark for mark in map(simulated_mark, privacy) if mark is not None), None)


def simulated_mark(statement: PrivacyStatement) -> Text | None:
    """Say what a figure stands for where it doesn't stand for what ran; ``None`` where it does."""
    if statement.simulated is None:
        return None
    cohort, ran = f"{statement.cohort:,}", f"{statement.simulated.cohort:,}"
    return Text(
        f"simulated: stands for a cohort of {cohort}; {ran} really ran",
        f"모의값: {cohort}대 코호트를 가정한 값이며 실제로는 {ran}대가 참여",
    )
