"""One comparison from calls to figures, and to files where they are wanted."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from models.comparison.figures import Figures, summarise
from models.comparison.page import render_comparison
from models.comparison.protocol import Protocol, cross_validate
from models.comparison.rows import choose_peers
from models.detector.model_file import make_directory, write_bytes
from models.detector.training import TrainingSettings
from models.domain.call import Call

PAGE, FIGURES = "comparison.html", "comparison.json"

Progress = Callable[[str, int, int], None]
"""Told what begins, how many fits are done, and of how many."""


def compare_peers(
    calls: Sequence[Call],
    *,
    folds: int,
    seeds: Sequence[int],
    only: Sequence[str] = (),
    weights: Path | None = None,
    hard: str = "auto",
    out: Path | None = None,
    settings: TrainingSettings | None = None,
    progress: Progress = lambda _, __, ___: None,
) -> Figures:
    """Compare the detector with its peers.

    Args:
        calls: Labelled calls of both labels.
        folds: Of each cross-validation.
        seeds: One cross-validation each.
        only: Rows to measure; empty stands for all.
        weights: The encoder's folder.
        hard: Which normal calls get words worked in.
        out: Where the page and the figures are written, if anywhere.
        settings: The detector's recipe; the one that `train_detector` has by default.
        progress: Told before every fit.

    Returns:
        One JSON object: ``calls``, ``protocol``, ``rows``, ``mcnemar``, ``paper``, ``report``.

    Raises:
        UsageError: There is no row of a name.
        BadInputError: The calls, the folder of the encoder or the place to write to can't be used.
    """
    lineup = choose_peers(only, weights, settings)
    if out:
        make_directory(out)  # before the work: its result must have a place
    protocol = Protocol(folds, tuple(seeds), hard=hard)
    total = folds * len(protocol.seeds) * len(lineup.peers)
    outcome = cross_validate(calls, lineup, protocol, lambda fit, done: progress(fit, done, total))
    progress("intervals and figures", total, total)
    figures = summarise(outcome, protocol, lineup.skipped) | {"report": str(out / PAGE) if out else None}
    if out:
        write_bytes(out / PAGE, render_comparison(figures).encode())
        write_bytes(out / FIGURES, json.dumps(figures, ensure_ascii=False, indent=1, allow_nan=False).encode())
    return figures
