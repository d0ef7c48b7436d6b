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
