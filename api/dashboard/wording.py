"""The dashboard's words in its two languages."""

from __future__ import annotations

from api.operator.repository import Against, DriftOfFigure
from api.problems import Problem, ProblemError
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
