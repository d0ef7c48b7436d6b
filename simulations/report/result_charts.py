"""The pictures of what came of it: accuracy, a call being listened to, the statistics."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from models.domain.call import ScamType
from models.domain.release import Verdict
from models.page.picture import (
    DASHED,
    DOTTED,
    ROUND_STEPS,
    Key,
    Margins,
    Picture,
    describe_progress,
    draw,
    label_rounds,
    lay_rows,
)
from models.page.text import Text, percent
from models.page.vector import Ink, Words
from models.page.wording import METRICS, SCAM_TYPES, VERDICTS, value_text
from simulations.report.content import ReportContent, Scores
from simulations.report.product import CallDetection, StatisticsOutcome

RECALL_KEYS = (
    Key("dot hollow before", Text("before", "연합학습 전")),
    Key("dot accent", Text("after", "연합학습 후")),
    Key("dot alert", Text("after, and lower than before", "연합학습 후 (하락)")),
)
DETECTION_KEYS = (
    Key("dot accent", Text("no warning", "경고 없음")),
    Key("dot alert", Text("warning", "경고")),
    Key("line alert dashed thin", Text("threshold", "임계값")),
)
STATISTICS_KEYS = (
    Key("diamond ink", Text("true, known to the simulator only", "실제 (시뮬레이터만 아는 값)")),
    Key("dot accent", Text("estimate, 95% interval", "추정값, 95% 구간")),
    Key("square before", Text("as received", "수신값")),
)


def draw_recall_by_type(before: Scores, after: Scores, unseen: ScamType | None) -> Picture:
    """Draw the recall on each scam type before and after, the type that nobody had trained on first."""
    shared = sorted(after.recall_by_type.keys() & before.recall_by_type.keys())
    kinds = sorted(shared, key=lambda kind: kind is not unseen)
    changes = [(SCAM_TYPES[kind], before.recall_by_type[kind], after.recall_by_type[kind]) for kind in kinds]

    def plot(axes: Axes, words: Words) -> None:
        for row, (_, old, new) in enumerate(changes):
            _plot_change(axes, row, old, new)
        lay_rows(axes, [words.key(name) for name, _, _ in changes])
        axes.set(xlim=(-0.03, 1.03), xticks=[0, 0.25, 0.5, 0.75, 1], xticklabels=["0", "", "0.5", "", "1"])
        axes.tick_params(axis="y", labelcolor=Ink.INK)
        for label in axes.get_yticklabels()[: kinds[:1] == [unseen]]:
            label.set_fontweight("bold")

    return Picture(
        "recall",
        draw("recall", 44 + 32 * max(1, len(kinds)), plot, Margins(left=140, right=84, bottom=32, top=6)),
        Text("Recall by scam type, 30 s into the call", "사기 유형별 재현율 (통화 30초 시점)"),
        Text(
            "; ".join(f"{name.en} {old:.2f} before, {new:.2f} after" for name, old, new in changes),
            "; ".join(f"{name.ko} 이전 {old:.2f}, 이후 {new:.2f}" for name, old, new in changes),
        ),
        RECALL_KEYS,
    )


def _plot_change(axes: Axes, row: int, old: float, new: float) -> None:
    """Plot one row: a hollow dot for before, a full one for after, the two numbers at the right."""
    ink = Ink.ALERT if new < old else Ink.ACCENT
    axes.plot([old, new], [row, row], color=ink, linewidth=3, alpha=0.45)
    axes.plot(old, row, "o", markersize=9, markerfacecolor=Ink.PAPER, markeredgecolor=Ink.BEFORE, markeredgewidth=2)
    axes.plot(new, row, "o", markersize=9, markerfacecolor=ink, markeredgecolor=Ink.PAPER, markeredgewidth=1)
    axes.text(1.07, row, f"{old:.2f} → {new:.2f}", va="center", color=Ink.INK, fontsize=11)


def draw_accuracy_by_round(content: ReportContent) -> Picture:
    """Draw F1 and the unseen type's recall after each round; round 0 is the base detector."""
    numbers = [outcome.report.number for outcome in content.rounds]
    accepted = [outcome.report.acceptance_f1 for outcome in content.rounds]
    apart = [content.before.f1, *(outcome.kept_apart_f1 for outcome in content.rounds)]
    recalls, chosen = _unseen_recalls(content), _chosen_round(content)

    def plot(axes: Axes, words: Words) -> None:
        axes.plot(numbers, accepted, color=Ink.BEFORE, linestyle=DOTTED, marker="o", markevery=[-1], markersize=5)
        axes.plot([0, *numbers], apart, color=Ink.ACCENT)
        if recalls:
            axes.plot(*zip(*recalls, strict=True), color=Ink.ALERT, linestyle=DASHED)
        if chosen:
            axes.plot(*chosen, "o", color=Ink.ACCENT, markeredgecolor=Ink.PAPER, markersize=10)
        lowest = min([*accepted, *apart, *(recall for _, recall in recalls)])
        axes.set_ylim(max(0.0, lowest - 0.06), 1.02)
        label_rounds(axes, words, 0, numbers[-1])

    return Picture(
        "accuracy",
        draw("accuracy", 250, plot),
        Text("Accuracy after each round; round 0 is the base detector", "라운드별 정확도 (0은 기본 모델)"),
        describe_progress("F1 on calls kept apart", "분리해 둔 통화의 F1", apart),
        _accuracy_keys(content.run.unseen_type if recalls else None, chosen is not None),
    )


def _unseen_recalls(content: ReportContent) -> list[tuple[int, float]]:
    """Return the unseen type's recall by round, where there is such a type and calls of it."""
    unseen = content.run.unseen_type
    if unseen is None or unseen not in content.before.recall_by_type:
        return []
    later = [(o.report.number, o.recall_by_type[unseen]) for o in content.rounds if unseen in o.recall_by_type]
    return [(0, content.before.recall_by_type[unseen]), *later]


def _chosen_round(content: ReportContent) -> tuple[int, float] | None:
    """Return the round whose model went to the gate and its F1, where one did."""
    chosen = content.release and content.release.chosen_round
    rounds = ((o.report.number, o.kept_apart_f1) for o in content.rounds if o.report.number == chosen)
    return next(rounds, None)


def _accuracy_keys(unseen: ScamType | None, gate: bool) -> tuple[Key, ...]:
    """Name the lines that are drawn, and the dot at the model that went to the gate."""
    keys = [
        Key("line accent", Text("F1 on calls kept apart", "분리해 둔 통화의 F1")),
        Key("line before dotted", Text("F1 on the server's acceptance set", "서버 승인용 데이터의 F1")),
    ]
    if unseen is not None:
        kind = SCAM_TYPES[unseen]
        keys.append(Key("line alert dashed", Text(f"recall, {kind.inside.en}", f"{kind.ko} 재현율")))
    if gate:
        keys.append(Key("dot accent", Text("went to the gate", "승인 관문에 오른 모델")))
    return tuple(keys)


def draw_detection(detection: CallDetection) -> Picture:
    """Draw the score of a growing call, with the two thresholds."""
    windows = detection.windows

    def plot(axes: Axes, words: Words) -> None:
        _plot_thresholds(axes, words, detection)
        axes.plot([w.seconds for w in windows], [w.score for w in windows], color=Ink.ACCENT)
        for window in windows:
            ink = Ink.ACCENT if window.verdict is Verdict.NORMAL else Ink.ALERT
            axes.plot(window.seconds, window.score, "o", color=ink, markeredgecolor=Ink.PAPER, markersize=10)
        axes.set(xlim=(0, windows[-1].seconds * 1.06), ylim=(0, 1.08), yticks=[0, 0.5, 1])
        axes.set_xticks([w.seconds for w in windows], [f"{w.seconds:g}" for w in windows])
        axes.set_xlabel(words.key(Text("seconds into the call", "통화 경과 시간 (초)")))

    return Picture(
        "detection",
        draw("detection", 250, plot),
        Text("The score while the call grows, and the two thresholds", "통화가 진행되는 동안의 점수와 두 임계값"),
        Text(
            "; ".join(f"{w.seconds:g} s: {w.score:.2f}, {VERDICTS[w.verdict].en}" for w in windows),
            "; ".join(f"{w.seconds:g}초: {w.score:.2f}, {VERDICTS[w.verdict].ko}" for w in windows),
        ),
        DETECTION_KEYS,
    )


def _plot_thresholds(axes: Axes, words: Words, detection: CallDetection) -> None:
    """Plot the two thresholds as level lines with their verdicts' names."""
    limits = detection.thresholds
    axes.grid(visible=False)
    for verdict, limit in ((Verdict.SUSPICIOUS, limits.suspicious), (Verdict.DANGEROUS, limits.dangerous)):
        axes.axhline(limit, color=Ink.ALERT, linewidth=1.2, linestyle=(0, (5, 3)))
        axes.text(0.5, limit + 0.03, words.key(VERDICTS[verdict]), fontsize=11, color=Ink.ALERT)


def draw_statistics(outcome: StatisticsOutcome) -> Picture:
    """Draw, for each value, the true share, the share as received and the estimate with its interval."""
    values = outcome.metric.values

    def plot(axes: Axes, words: Words) -> None:
        for row, value in enumerate(values):
            _plot_shares(axes, row, outcome, value)
        lay_rows(axes, [words.key(value_text(value)) for value in values])
        axes.tick_params(axis="y", labelcolor=Ink.INK)
        axes.xaxis.set_major_locator(MaxNLocator(5, steps=ROUND_STEPS))
        axes.xaxis.set_major_formatter(lambda share, _: percent(share) if abs(share) > 1e-9 else "0%")

    name, asked = f"statistics-{outcome.metric.name}", METRICS[outcome.metric.name]
    return Picture(
        name,
        draw(name, 40 + 46 * len(values), plot, Margins(left=116, right=20, bottom=32, top=8)),
        Text(f"{asked.en}: true, as received, as estimated", f"{asked.ko}: 실제, 수신값, 추정값"),
        Text(
            "; ".join(f"{value_text(v).en}: true {percent(outcome.true_shares[v])}" for v in values),
            "; ".join(f"{value_text(v).ko}: 실제 {percent(outcome.true_shares[v])}" for v in values),
        ),
        STATISTICS_KEYS if outcome.estimates is not None else (STATISTICS_KEYS[0], STATISTICS_KEYS[2]),
    )


def _plot_shares(axes: Axes, row: int, outcome: StatisticsOutcome, value: str) -> None:
    """Plot one value's row: true above, estimate in the middle, as received below."""
    axes.plot(outcome.true_shares[value], row - 0.24, "D", color=Ink.INK, markersize=6)
    axes.plot(outcome.received_shares[value], row + 0.24, "s", color=Ink.BEFORE, markersize=6)
    if outcome.estimates is not None:
        estimate = outcome.estimates[value]
        axes.plot([estimate.low, estimate.high], [row, row], color=Ink.ACCENT, alpha=0.5, linewidth=4)
        axes.plot(estimate.shown, row, "o", color=Ink.ACCENT, markeredgecolor=Ink.PAPER, markersize=9)
