"""One comparison from calls to figures, and to files where they are wanted."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from models.comparison.figures import Figures, summarise
from models.comparison.page import render_comparison
from models.comparison.protocol import Progress, Protocol, cross_validate
from models.comparison.rows import Lineup
from models.detector.model_file import make_directory, write_bytes
from models.domain.call import Call

PAGE, FIGURES = "comparison.html", "comparison.json"


def compare_peers(
    calls: Sequence[Call],
    lineup: Lineup,
    *,
    folds: int,
    seeds: Sequence[int],
    hard: str = "auto",
    out: Path | None = None,
    progress: Progress = lambda _, __, ___: None,
) -> Figures:
    """Compare the detector with its peers.

    Args:
        calls: Labelled calls of both labels.
        lineup: Who takes part, as of `choose_peers`.
        folds: Of each cross-validation.
        seeds: One cross-validation each.
        hard: Which normal calls get words worked in.
        out: Where the page and the figures are written, if anywhere.
        progress: Told before every fit and every judgement.

    Returns:
        One JSON object: ``calls``, ``protocol``, ``rows``, ``mcnemar``, ``paper``, ``report``.

    Raises:
        BadInputError: The calls or the place to write to can't be used.
    """
    if out:
        make_directory(out)  # before the work: its result must have a place
    protocol = Protocol(folds, tuple(seeds), hard=hard)
    outcome = cross_validate(calls, lineup, protocol, progress)
    figures = summarise(outcome, protocol, lineup.skipped) | {"report": str(out / PAGE) if out else None}
    if out:
        write_bytes(out / PAGE, render_comparison(figures).encode())
        write_bytes(out / FIGURES, json.dumps(figures, ensure_ascii=False, indent=1, allow_nan=False).encode())
    return figures
