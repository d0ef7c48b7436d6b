"""The model from release to release: how good it is, how far it went."""

from __future__ import annotations

from collections.abc import Sequence

from api.dashboard.charts import Chart, Column
from api.dashboard.wording import RELEASE
from api.operator.service import ModelInUse
from models.domain.profile import ReleaseProfile
from models.page.text import Text, decimal


def draw_accuracy(models: Sequence[ModelInUse]) -> Chart | None:
    """Draw F1 on the acceptance set by release; ``None`` where no release says it."""
    profiles = _profiles(models)
    if not profiles:
        return None
    return Chart(
        name="accuracy",
        caption=Text("F1 on the acceptance set by release", "배포별 승인용 데이터 F1"),
        summary=Text(f"The newest has {decimal(profiles[-1].f1)}", f"최신 배포 {decimal(profiles[-1].f1)}"),
        across=RELEASE,
        labels=tuple(str(profile.version) for profile in profiles),
        columns=(Column(Text("F1", "F1"), "line", "accent"),),
        rows=tuple((profile.f1,) for profile in profiles),
        unit="decimal",
    )


def draw_change(models: Sequence[ModelInUse]) -> Chart | None:
    """Draw how far weights and scores went from the model before; ``None`` where no release says it."""
    changed = [(profile, profile.change) for profile in _profiles(models) if profile.change is not None]
    if not changed:
        return None
    last = changed[-1][1]
    return Chart(
        name="change",
        caption=Text("Change from the model before", "이전 모델 대비 변화"),
        summary=Text(
            f"The newest weights moved by {decimal(last.relative)} of their length, cosine {decimal(last.cosine, 3)}",
            f"최신 배포의 가중치 이동은 길이의 {decimal(last.relative)}, 코사인 {decimal(last.cosine, 3)}",
        ),
        across=RELEASE,
        labels=tuple(str(profile.version) for profile, _ in changed),
        columns=(
            Column(Text("distance of the weights, relative", "가중치 거리(상대)"), "line", "accent"),
            Column(Text("mean change of a score", "점수 평균 변화"), "line", "before"),
            Column(Text("verdicts changed", "판정 변화 비율"), "dash", "alert"),
        ),
        rows=tuple((c.relative, c.mean_score_difference, c.verdicts_changed) for _, c in changed),
        unit="decimal",
    )


def _profiles(models: Sequence[ModelInUse]) -> list[ReleaseProfile]:
    return [model.profile for model in models if model.profile is not None]
