"""Words for what is shown on more than one page."""

from __future__ import annotations

from models.domain.call import ScamType
from models.domain.release import Verdict
from models.domain.round import ReplyFate
from models.domain.statistic import (
    CALL_LENGTH,
    KEPT,
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
    UNMEASURED,
    VERDICT,
)
from models.page.text import Text

SCAM_TYPES = {
    ScamType.AGENCY: Text("Agency impersonation", "기관사칭형"),
    ScamType.LOAN: Text("Loan fraud", "대출사기형"),
    ScamType.MESSENGER: Text("Messenger phishing", "메신저피싱"),
    ScamType.SMISHING: Text("Smishing", "스미싱"),
    ScamType.PERSONAL_DATA: Text("Personal data theft", "개인정보 탈취형"),
    ScamType.ARS: Text("Automated calls (ARS)", "ARS 기반 사칭형"),
    ScamType.MALICIOUS_APP: Text("Malicious app", "악성 앱 유도형"),
    ScamType.UNKNOWN: Text("Type not known", "유형 미상"),
}
VERDICTS = {
    Verdict.NORMAL: Text("normal", "정상"),
    Verdict.SUSPICIOUS: Text("suspicious (의심)", "의심"),
    Verdict.DANGEROUS: Text("dangerous (위험)", "위험"),
}
METRICS = {
    VERDICT.name: Text("Verdict", "판정"),
    SCAM_TYPE.name: Text("Type of scam", "사기 유형"),
    SCORE.name: Text("Score", "점수"),
    CALL_LENGTH.name: Text("Length of the call", "통화 길이"),
    RELEASE.name: Text("Release in use", "사용한 배포"),
    OVERRIDE.name: Text("What people said of the warning", "경고에 대한 이용자의 답"),
    UNKNOWN_WORD_SHARE.name: Text("Words the detector doesn't know", "탐지 모델이 모르는 단어"),
}
"""Questions of the statistics."""

STATISTIC_VALUES = {
    NO_CALL: Text("no call", "통화 없음"),
    NO_SCAM: Text("no scam", "사기 아님"),
    UNMEASURED: Text("the release can't tell", "배포가 알 수 없음"),
    NOT_WARNED: Text("no warning", "경고 없음"),
    KEPT: Text("let the warning stand", "경고를 그대로 둠"),
    OVERRIDDEN: Text("said 보이스피싱 아님", "보이스피싱 아님"),
    NEWEST: Text("the newest", "최신"),
    PREVIOUS: Text("the one before", "직전"),
    OLDER: Text("an older one", "더 이전"),
    **{verdict.value: text for verdict, text in VERDICTS.items()},
    **{kind.value: text for kind, text in SCAM_TYPES.items()},
    **{name: Text(name.replace("-", " – "), name.replace("-", " – ")) for name in SCORES.names},
    "under_30s": Text("under 30 s", "30초 미만"),
    "30s_to_1min": Text("30 s to 1 min", "30초–1분"),
    "1_to_3min": Text("1 to 3 min", "1–3분"),
    "3_to_10min": Text("3 to 10 min", "3–10분"),
    "over_10min": Text("10 min and over", "10분 이상"),
    "under_20": Text("under 20%", "20% 미만"),
    "20_to_30": Text("20 to 30%", "20–30%"),
    "30_to_40": Text("30 to 40%", "30–40%"),
    "40_to_50": Text("40 to 50%", "40–50%"),
    "over_50": Text("50% and over", "50% 이상"),
}
"""Values of all questions; one that several of them have means the same in each."""

FATES = {
    ReplyFate.FOLDED: Text("folded in", "반영"),
    ReplyFate.NO_REPLY: Text("no reply", "응답 없음"),
    ReplyFate.REFUSED: Text("refused by the device", "기기가 거절"),
    ReplyFate.FAILED: Text("failed", "실패"),
    ReplyFate.WRONG_ROUND: Text("of another round", "다른 라운드"),
    ReplyFate.WRONG_KEYS: Text("wrong names", "이름 오류"),
    ReplyFate.WRONG_TYPE: Text("wrong type", "자료형 오류"),
    ReplyFate.WRONG_SHAPE: Text("wrong shape", "형태 오류"),
    ReplyFate.NOT_FINITE: Text("not finite", "유한하지 않음"),
    ReplyFate.TOO_LARGE: Text("too large", "크기 초과"),
}
UNUSABLE = Text("could not be used", "사용 불가")
"""Fates of replies that came, were no refusal, and are no part of the model."""

REPLIES = Text("Devices asked in each round, and what became of them", "라운드별 요청 기기와 그 결과")


def describe_replies(folded: int, lost: int, refused: int, unusable: int) -> Text:
    """Say what became of all devices that were asked."""
    return Text(
        f"In all {folded} replies were folded in, {lost} devices did not reply, {refused} refused, "
        f"{unusable} could not be used",
        f"전체 라운드에서 반영 {folded}건, 응답 없음 {lost}건, 기기가 거절 {refused}건, 사용 불가 {unusable}건",
    )


def value_text(value: str) -> Text:
    """Name a value of a statistic; one that has no words of its own is named by itself."""
    return STATISTIC_VALUES.get(value, Text(value, value))


def metric_text(name: str) -> Text:
    """Name a question of the statistics."""
    return METRICS[name]
