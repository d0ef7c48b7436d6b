"""From what was judged to the figures of the table: one JSON object.

N calls, S seeds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.comparison.latency import WORDS
from models.comparison.paper import PAPER
from models.comparison.protocol import FLIPS_AT, Flip, Judged, Outcome, Protocol
from models.comparison.rows import ROWS
from models.comparison.significance import RESAMPLES, compare_paired, draw_groups, intervals
from models.corpus.counterfactual import CHANGES, KEYWORDS, WORDS_REMOVED
from models.detector.cut_calls import LEARNED_AT
from models.detector.evaluation import measure
from models.domain.call import Label

PARTS = ("all", "timed", "others")
"""All calls; those with seconds; those without."""

Figures = dict[str, Any]


def summarise(outcome: Outcome, protocol: Protocol, skipped: Mapping[str, str], resamples: int = RESAMPLES) -> Figures:
    """Return everything that the page shows and ``--json`` prints.

    Args:
        outcome: What the peers said.
        protocol: How they were compared.
        skipped: Rows that were not measured, and why.
        resamples: Of the intervals.
    """
    parts = _parts(outcome)
    draws = {part: _draws(outcome, rows, resamples) for part, rows in parts.items() if rows.any()}
    measured = {
        row: _windows(outcome, judged, {part: parts[part] for part in draws}, draws)
        for row, judged in outcome.judged.items()
    }
    return {
        "calls": _describe_calls(outcome),
        "protocol": _describe_protocol(outcome, protocol, resamples),
        "rows": [_row(row, outcome, measured, skipped) for row in ROWS if row in outcome.judged or row in skipped],
        "mcnemar": [_test(outcome, measured, seconds, protocol) for seconds in protocol.windows],
        "paper": PAPER,
    }


def _parts(outcome: Outcome) -> dict[str, NDArray[np.bool_]]:
    timed = np.array([bool(call.segments) for call in outcome.calls])
    return dict(zip(PARTS, (np.ones_like(timed), timed, ~timed), strict=True))


def _draws(outcome: Outcome, rows: NDArray[np.bool_], resamples: int) -> list[NDArray[np.int64]]:
    return draw_groups(
        [origin for origin, row in zip(outcome.origins, rows, strict=True) if row], seed=0, resamples=resamples
    )


def _windows(
    outcome: Outcome,
    judged: Judged,
    parts: Mapping[str, NDArray[np.bool_]],
    draws: Mapping[str, Sequence[NDArray[np.int64]]],
) -> list[Figures]:
    truth = _truth(outcome)
    windows = []
    for seconds, scores in judged.scores.items():
        warnings = judged.warnings[seconds]
        window: Figures = {"seconds": seconds}
        for part, rows in parts.items():
            each = zip(scores, warnings, strict=True)
            by_seed = [asdict(measure(score, warned, outcome.calls, rows)) for score, warned in each]
            window[part] = _mean(by_seed)
            window[part]["intervals"] = intervals(truth[rows], warnings[:, rows], draws[part])
        windows.append(window)
    return windows


def _truth(outcome: Outcome) -> NDArray[np.bool_]:
    return np.array([call.label is Label.VISHING for call in outcome.calls])


def _mean(by_seed: Sequence[Figures]) -> Figures:
    """Return the mean of each figure, those in objects included; None where one is undefined."""
    merged: Figures = {}
    for name, first in by_seed[0].items():
        values = [figures[name] for figures in by_seed]
        if isinstance(first, dict):
            merged[name] = _mean(values)
        elif any(value is None for value in values):
            merged[name] = None
        else:
            merged[name] = first if isinstance(first, int) else float(np.mean(values))
    return merged


def _describe_calls(outcome: Outcome) -> Figures:
    calls = outcome.calls
    return {
        "n": len(calls),
        "vishing": sum(call.label is Label.VISHING for call in calls),
        "timed": sum(bool(call.segments) for call in calls),
        "groups": len(set(outcome.origins)),
        "by_source": dict(Counter(call.source for call in calls)),
    }


def _describe_protocol(outcome: Outcome, protocol: Protocol, resamples: int) -> Figures:
    return {
        "folds": protocol.folds,
        "seeds": list(protocol.seeds),
        "windows": list(protocol.windows),
        "peers_learn_from_windows": list(LEARNED_AT),
        "threshold": "of the verdict 의심, chosen without the tested fold",
        "interval": {"covers": 0.95, "resampled": "groups of calls", "resamples": resamples},
        "latency_words": WORDS,
        "counterfactual": {
            "hard": protocol.hard,
            "hard_normal_calls": outcome.hard,
            "words_added": list(KEYWORDS),
            "words_removed": WORDS_REMOVED,
        },
    }


def _row(row: str, outcome: Outcome, measured: Mapping[str, Any], skipped: Mapping[str, str]) -> Figures:
    named: Figures = {"name": row, "title": ROWS[row].title.en, "skipped": skipped.get(row)}
    if row in skipped:
        return named
    judged = outcome.judged[row]
    cost, flops, latency = judged.cost[0]
    return named | {
        "windows": measured[row],
        "cost": {
            "parameters": cost.parameters,
            "bytes": cost.size,
            "embedding_bytes": cost.embedding_size,
            "flops": flops,
            "flops_formula": cost.formula,
            "latency_ms": asdict(latency),
        },
        "counterfactual": [_flips(judged.flips, seconds) for seconds in FLIPS_AT],
    }


def _flips(flips: Sequence[Flip], seconds: float) -> Figures:
    then = [flip for flip in flips if flip.seconds == seconds]
    return {
        "seconds": seconds,
        "all": _share(then),
        "by_side": {
            label.name.lower(): _share([flip for flip in then if flip.vishing == bool(label)]) for label in Label
        },
        "by_change": {change: _share([flip for flip in then if flip.change == change]) for change in CHANGES},
    }


def _share(flips: Sequence[Flip]) -> Figures:
    flipped = [flip for flip in flips if flip.before != flip.after]
    return {
        "n": len(flips),
        "flipped": len(flipped),
        "became_wrong": sum(flip.after != flip.vishing for flip in flipped),
        "share": len(flipped) / len(flips) if flips else None,
    }


def _test(outcome: Outcome, measured: Mapping[str, Any], seconds: float, protocol: Protocol) -> Figures:
    """Test the two models with the best F1 of all calls against each other, seed by seed."""
    best = _best_two(measured, protocol.windows.index(seconds))
    if len(best) < 2:
        return {"seconds": seconds, "first": best[0] if best else None, "second": None, "by_seed": []}
    truth = _truth(outcome)
    first, second = (outcome.judged[row].warnings[seconds] == truth for row in best)
    tests = [compare_paired(a, b) for a, b in zip(first, second, strict=True)]
    by_seed = [{"seed": seed, **asdict(test)} for seed, test in zip(protocol.seeds, tests, strict=True)]
    return {"seconds": seconds, "first": best[0], "second": best[1], "by_seed": by_seed}


def _best_two(measured: Mapping[str, Any], window: int) -> list[str]:
    """Return the best rows, each of another model; of one model the first row stands for it."""
    by_model: dict[str, str] = {}
    for row in ROWS:
        if row in measured:
            by_model.setdefault(ROWS[row].model, row)
    ranked = sorted(by_model.values(), key=lambda row: -(measured[row][window]["all"]["f1"] or 0.0))
    return ranked[:2]
