"""Rounds as the operator sees them: who replied, how good the model became, what it spent."""

from __future__ import annotations

from collections.abc import Sequence

from api.dashboard.charts import Chart, Column, last_value
from api.dashboard.wording import ROUND
from models.domain.round import ReplyFate, RoundReport
from models.page.text import Text, decimal
from models.page.wording import FATES, REPLIES, UNUSABLE, describe_replies


def draw_replies(rounds: Sequence[RoundReport]) -> Chart:
    """Draw what became of the devices asked in each round."""
    rows = tuple(_count_fates(report) for report in rounds)
    folded, lost, refused, unusable = (round(sum(counts)) for counts in zip(*rows, strict=True))
    return Chart(
        name="replies",
        caption=REPLIES,
        summary=describe_replies(folded, lost, refused, unusable),
        across=ROUND,
        labels=_numbers(rounds),
        columns=(
            Column(FATES[ReplyFate.FOLDED], "bar", "accent"),
            Column(FATES[ReplyFate.NO_REPLY], "bar", "before"),
            Column(FATES[ReplyFate.REFUSED], "bar", "muted"),
            Column(UNUSABLE, "bar", "alert"),
        ),
        rows=rows,
        unit="count",
    )


def draw_acceptance(rounds: Sequence[RoundReport]) -> Chart:
    """Draw how good each round's model was on the acceptance set."""
    rows = tuple((report.acceptance_f1, report.acceptance_loss) for report in rounds)
    first, last = rows[0], rows[-1]
    return Chart(
        name="acceptance",
        caption=Text("F1 and loss on the acceptance set", "승인용 데이터의 F1과 손실"),
        summary=Text(
            f"F1 from {decimal(first[0])} to {decimal(last[0])}, loss from {decimal(first[1])} to {decimal(last[1])}",
            f"F1은 {decimal(first[0])}에서 {decimal(last[0])}, 손실은 {decimal(first[1])}에서 {decimal(last[1])}",
        ),
        across=ROUND,
        labels=_numbers(rounds),
        columns=(Column(Text("F1", "F1"), "line", "accent"), Column(Text("loss", "손실"), "dash", "before")),
        rows=rows,
        unit="decimal",
    )


def draw_epsilon(rounds: Sequence[RoundReport]) -> Chart:
    """Draw the epsilon of one person that the rounds have spent."""
    rows = tuple((report.epsilon,) for report in rounds)
    last = last_value(rows, 0)
    spent = "–" if last is None else decimal(last)
    return Chart(
        name="epsilon",
        caption=Text(
            "Epsilon of one person spent so far, against recipients", "한 사람 기준 누적 엡실론, 모델을 받는 이에 대해"
        ),
        summary=Text(f"At the last round {spent}", f"마지막 라운드에서 {spent}"),
        across=ROUND,
        labels=_numbers(rounds),
        columns=(Column(Text("against those who receive releases", "배포 모델 수신자 기준"), "line", "accent"),),
        rows=rows,
        unit="decimal",
    )


def draw_clipping(rounds: Sequence[RoundReport]) -> Chart | None:
    """Draw the noised share of updates that were clipped; ``None`` where no round measured it."""
    if all(report.clipped_share is None for report in rounds):
        return None
    return Chart(
        name="clipping",
        caption=Text("Share of updates that were clipped, noised", "절단된 업데이트 비율(잡음 포함)"),
        summary=Text("Estimated under the update’s own noise", "업데이트와 같은 잡음 아래에서 추정한 값"),
        across=ROUND,
        labels=_numbers(rounds),
        columns=(Column(Text("clipped", "절단"), "line", "accent"),),
        rows=tuple((report.clipped_share,) for report in rounds),
        unit="percent",
    )


def dropout_share(rounds: Sequence[RoundReport]) -> float | None:
    """Return the share of asked devices that did not reply; ``None`` where nobody was asked."""
    asked = sum(report.asked for report in rounds)
    return sum(report.fates.get(ReplyFate.NO_REPLY, 0) for report in rounds) / asked if asked else None


def _count_fates(report: RoundReport) -> tuple[float, ...]:
    """Count devices that were folded in, that didn't reply, that refused, and whose replies could not be used."""
    named = (ReplyFate.FOLDED, ReplyFate.NO_REPLY, ReplyFate.REFUSED)
    counts = [float(report.fates.get(fate, 0)) for fate in named]
    return (*counts, report.asked - sum(counts))


def _numbers(rounds: Sequence[RoundReport]) -> tuple[str, ...]:
    return tuple(str(report.number) for report in rounds)
