"""The dashboard's words in its two languages."""

from __future__ import annotations

from api.operator.repository import Against, DriftOfFigure
from api.problems import Problem, ProblemError
from api.security_events import SecurityEvent
from models.domain.consent import Purpose
from models.domain.order import OrderState, Refusal
from models.drift.alarm import Statistic
from models.page.text import Text

WINDOW = Text("Week", "주")
ROUND = Text("Round", "라운드")
RELEASE = Text("Release", "배포")

STATISTICS = {
    Statistic.PSI: Text("Population stability index", "모집단 안정성 지수(PSI)"),
    Statistic.JENSEN_SHANNON: Text("Jensen-Shannon distance", "옌센-섀넌 거리"),
    Statistic.CHI_SQUARE: Text("Chi-square", "카이제곱"),
}
ORDER_STATES = {
    OrderState.PENDING: Text("pending", "대기 중"),
    OrderState.DONE: Text("done", "완료"),
    OrderState.REFUSED: Text("refused", "거부됨"),
}
REFUSALS = {
    Refusal.RELEASES_CHANGED: Text("the releases had changed", "배포 상태가 바뀜"),
    Refusal.IMPOSSIBLE: Text("it can't be done", "수행할 수 없음"),
    Refusal.NOT_UNDERSTOOD: Text("it was not understood", "해석할 수 없음"),
}
ORDER_KINDS = {
    "set-rollout": Text("Roll out", "배포율 변경"),
    "roll-back": Text("Roll back", "되돌리기"),
    "pause": Text("Pause rounds", "라운드 중지"),
    "resume": Text("Resume rounds", "라운드 재개"),
}
PURPOSES = {
    Purpose.DETECTION.value: Text("detection", "탐지"),
    Purpose.TRAINING.value: Text("training", "학습"),
    Purpose.STATISTICS.value: Text("statistics", "통계"),
}
ACTORS = {
    "person": Text("person", "이용자"),
    "operator": Text("operator", "운영자"),
    "device": Text("device", "기기"),
    "console": Text("command line", "명령줄"),
    "nobody": Text("nobody known", "알 수 없음"),
}
EVENTS = {
    SecurityEvent.SIGNED_UP.value: Text("signed up", "가입"),
    SecurityEvent.OPERATOR_CREATED.value: Text("operator made", "운영자 생성"),
    SecurityEvent.OPERATOR_REMOVED.value: Text("operator removed", "운영자 삭제"),
    SecurityEvent.LOGGED_IN.value: Text("logged in", "로그인"),
    SecurityEvent.LOGIN_REFUSED.value: Text("login refused", "로그인 거부"),
    SecurityEvent.LOGIN_THROTTLED.value: Text("too many logins", "로그인 시도 초과"),
    SecurityEvent.LOGGED_OUT.value: Text("logged out", "로그아웃"),
    SecurityEvent.LOGGED_OUT_EVERYWHERE.value: Text("logged out everywhere", "모든 기기 로그아웃"),
    SecurityEvent.REFRESH_TOKEN_REUSED.value: Text("refresh token used twice", "갱신 토큰 재사용"),
    SecurityEvent.PASSWORD_CHANGED.value: Text("password changed", "비밀번호 변경"),
    SecurityEvent.PERSON_REMOVED.value: Text("account removed", "계정 삭제"),
    SecurityEvent.DEVICE_ENROLLED.value: Text("device enrolled", "기기 등록"),
    SecurityEvent.DEVICE_SECRET_ROTATED.value: Text("device’s secret changed", "기기 비밀값 교체"),
    SecurityEvent.DEVICE_REMOVED.value: Text("device removed", "기기 삭제"),
    SecurityEvent.CONSENT_GIVEN.value: Text("consent given", "동의"),
    SecurityEvent.CONSENT_WITHDRAWN.value: Text("consent withdrawn", "동의 철회"),
    SecurityEvent.GUARDIAN_RECORDED.value: Text("guardian’s consent recorded", "보호자 동의 기록"),
    SecurityEvent.GUARDIAN_WITHDREW.value: Text("guardian’s consent withdrawn", "보호자 동의 철회"),
    SecurityEvent.ROLLOUT_ORDERED.value: Text("rollout ordered", "배포율 변경 지시"),
    SecurityEvent.ROLLBACK_ORDERED.value: Text("rollback ordered", "되돌리기 지시"),
    SecurityEvent.PAUSE_ORDERED.value: Text("pause ordered", "라운드 중지 지시"),
    SecurityEvent.RESUMPTION_ORDERED.value: Text("rounds to go on", "라운드 재개 지시"),
    SecurityEvent.KEYS_ROTATED.value: Text("keys changed", "키 교체"),
    SecurityEvent.WINDOW_CLOSED_EARLY.value: Text("week closed early", "주 조기 마감"),
}
PROBLEMS = {
    Problem.LOGIN_REFUSED: Text("Name and password don’t belong together.", "이름과 비밀번호가 맞지 않습니다."),
    Problem.TOO_MANY_ATTEMPTS: Text(
        "Too many attempts: try again later.", "시도가 너무 많습니다. 나중에 다시 시도하세요."
    ),
    Problem.FORM_REFUSED: Text(
        "The form was not sent from this page. Open the page again.",
        "이 페이지에서 보낸 양식이 아닙니다. 페이지를 다시 여세요.",
    ),
    Problem.STATE_CHANGED: Text(
        "The releases changed since you looked. Look again, and order what is still wanted.",
        "확인한 뒤에 배포 상태가 바뀌었습니다. 다시 확인한 다음 지시하세요.",
    ),
    Problem.NOT_READY: Text("The registry can’t be read.", "레지스트리를 읽을 수 없습니다."),
    Problem.DATABASE_UNAVAILABLE: Text("The database can’t be reached.", "데이터베이스에 연결할 수 없습니다."),
    Problem.NOT_FOUND: Text("There is nothing here.", "여기에는 아무것도 없습니다."),
    Problem.INVALID: Text("The form isn’t filled in as it should be.", "양식이 올바르게 채워지지 않았습니다."),
}


def problem_text(error: ProblemError) -> Text:
    """Say what went wrong."""
    return PROBLEMS.get(error.problem, Text(f"{error.problem.title}.", f"{error.problem.title}."))


def reference_text(found: DriftOfFigure) -> Text:
    """Name what a figure was held against."""
    if found.against is Against.RELEASE:
        return Text(f"against the profile of release {found.reference}", f"배포 {found.reference} 프로필 기준")
    return Text(f"against week {found.reference}", f"{found.reference} 주 기준")


def against_text(against: Against) -> Text:
    """Name a kind of reference."""
    if against is Against.RELEASE:
        return Text("against the release’s profile", "배포 프로필 기준")
    return Text("against the model’s first week", "모델 첫 주 기준")
