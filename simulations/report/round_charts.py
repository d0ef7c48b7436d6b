"""The pictures of what happened round by round: replies, update norms, epsilon."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from models.domain.privacy import Adversary, PrivacyStatement, PrivacyUnit, show_epsilon
from models.domain.round import ReplyFate
from models.page.picture import DASHED, Key, Picture, describe_progress, draw, label_rounds
from models.page.text import Text
from models.page.vector import Ink, Words
from models.page.wording import FATES, REPLIES, UNUSABLE, describe_replies
from simulations.report.content import RoundOutcome, UpdateNorms
from simulations.report.wording import UNITS, adversary_text, simulated_mark

BAR = 0.76
"""Width of a bar, in rounds."""

EPSILON_LINES = {
    (PrivacyUnit.PERSON, Adversary.RECIPIENTS): (Ink.ACCENT, "-", "line accent"),
    (PrivacyUnit.PERSON, Adversary.SERVER): (Ink.ALERT, "-", "line alert"),
    (PrivacyUnit.CALL, Adversary.RECIPIENTS): (Ink.ACCENT, DASHED, "line accent dashed"),
    (PrivacyUnit.CALL, Adversary.SERVER): (Ink.ALERT, DASHED, "line alert dashed"),
}


def draw_replies(rounds: Sequence[RoundOutcome]) -> Picture:
    """Draw what became of the devices asked in each round."""
    counts = np.array([(o.folded, o.dropped_out, o.refused, o.unusable) for o in rounds]).T
    bars = ((Ink.ACCENT, 1.0), (Ink.BEFORE, 0.55), (Ink.MUTED, 1.0), (Ink.ALERT, 1.0))

    def plot(axes: Axes, words: Words) -> None:
        numbers = [outcome.report.number for outcome in rounds]
        for heights, below, (ink, alpha) in zip(counts, counts.cumsum(axis=0) - counts, bars, strict=True):
            axes.bar(numbers, heights, bottom=below, color=ink, width=BAR, alpha=alpha)
        label_rounds(axes, words, numbers[0], numbers[-1])

    return Picture(
        "replies",
        draw("replies", 200, plot),
        REPLIES,
        describe_replies(*counts.sum(axis=1).tolist()),
        (
            Key("block accent", FATES[ReplyFate.FOLDED]),
            Key("block before faint", FATES[ReplyFate.NO_REPLY]),
            Key("block muted", FATES[ReplyFate.REFUSED]),
            Key("block alert", UNUSABLE),
        ),
    )


def draw_update_norms(rounds: Sequence[RoundOutcome]) -> Picture | None:
    """Draw the updates' norms before clipping; ``None`` where no round had an update."""
    known = [(outcome.report.number, outcome.norms) for outcome in rounds if outcome.norms is not None]
    if not known:
        return None
    clips = [(number, norms.clipping.norm) for number, norms in known if norms.clipping is not None]
    clip_key = [Key("line alert dashed", Text("clipped to", "절단 기준"))] if clips else []

    def plot(axes: Axes, words: Words) -> None:
        _plot_norms(axes, known)
        if clips:
            axes.plot(*zip(*clips, strict=True), color=Ink.ALERT, linestyle=DASHED, linewidth=1.6)
        axes.set_ylim(bottom=0)
        label_rounds(axes, words, known[0][0], known[-1][0])

    return Picture(
        "norms",
        draw("norms", 200, plot),
        Text("Length (L2 norm) of the devices' updates before clipping", "절단 전 업데이트의 L2 노름"),
        describe_progress("Median norm", "노름 중앙값", [norms.median for _, norms in known]),
        (
            Key("dot accent", Text("median", "중앙값")),
            Key("line before", Text("smallest to largest", "최소~최대")),
            *clip_key,
        ),
    )


def _plot_norms(axes: Axes, known: Sequence[tuple[int, UpdateNorms]]) -> None:
    """Plot an upright line from the smallest to the largest norm, and a dot at the median."""
    numbers = [number for number, _ in known]
    low, high = [norms.smallest for _, norms in known], [norms.largest for _, norms in known]
    axes.vlines(numbers, low, high, Ink.BEFORE, linewidth=3, alpha=0.6)
    axes.plot(numbers, [norms.median for _, norms in known], "o", color=Ink.ACCENT, markersize=5)


def draw_epsilon(rounds: Sequence[RoundOutcome], privacy: Sequence[PrivacyStatement]) -> Picture | None:
    """Draw the epsilon spent so far, a line for each unit and adversary; ``None`` where none is spent."""
    spent = [(o.report.number, part.unit, part.against, part.epsilon) for o in rounds for part in o.spent]
    lines = [(s, [(n, e) for n, unit, who, e in spent if (unit, who) == (s.unit, s.against)]) for s in privacy]
    drawn = [(statement, points) for statement, points in lines if points]
    if not drawn:
        return None

    def plot(axes: Axes, words: Words) -> None:
        for statement, points in drawn:
            ink, dash, _ = EPSILON_LINES[statement.unit, statement.against]
            axes.plot(*zip(*points, strict=True), color=ink, linestyle=dash, marker="o", markevery=[-1])
        axes.set_ylim(bottom=0)
        label_rounds(axes, words, rounds[0].report.number, rounds[-1].report.number)

    ends = [_describe_end(statement, points[-1][1]) for statement, points in drawn]
    return Picture(
        "epsilon",
        draw("epsilon", 230, plot),
        Text("Epsilon spent so far", "누적 엡실론"),
        Text("; ".join(end.en for end in ends), "; ".join(end.ko for end in ends)),
        tuple(Key(EPSILON_LINES[s.unit, s.against][2], _epsilon_label(s)) for s, _ in drawn),
    )


def _describe_end(statement: PrivacyStatement, epsilon: float) -> Text:
    """Say in words where a line ends, and what its figures stand for where they are simulated."""
    label, end, mark = _epsilon_label(statement), show_epsilon(epsilon), simulated_mark(statement)
    said = Text(f"{label.en}: {end} at the end", f"{label.ko}: 종료 시 {end}")
    return said if mark is None else said + Text(f" ({mark.en})", f" ({mark.ko})")


def _epsilon_label(statement: PrivacyStatement) -> Text:
    """Name one epsilon by its unit and its adversary, and say where it is simulated."""
    unit, who = UNITS[statement.unit], adversary_text(statement)
    label = Text(f"{unit.en}, against {who.en}", f"{unit.ko}, {who.ko} 기준")
    return label if statement.simulated is None else label + Text(" (simulated)", " (모의값)")
