"""What is compared: something that learns from calls and then scores words, with its cost.

Every peer is fitted under one protocol. It learns from calls cut at all of `LEARNED_AT`, every source and label
weighing the same. First in rehearsal: each half of the calls is judged by a model that learned the other half, and what
they say gives the calibration and the thresholds; then it learns from all calls given. The detector's own training does
the same.

N calls.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from models.detector.calibration import calibrate
from models.detector.cut_calls import Examples, Words, cut_calls
from models.detector.decision import EVEN_SCORE, calibrate_logits
from models.detector.heard_calls import weigh_sources
from models.detector.rehearsal import halve_calls
from models.domain.call import Call
from models.domain.release import Thresholds
from models.text.window import WINDOWS, words_until

Judge = Callable[[Sequence[Words]], NDArray[np.float64]]
"""Gives a number (N,) for calls given as words: a logit, or a calibrated score."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a model takes.

    Attributes:
        parameters: Numbers that were fitted, frozen tables not counted; None where that says nothing.
        size: Bytes of all that scoring needs, in the form it is saved in.
        embedding_size: Bytes of the frozen tables among them: the embedding's and the detector's bag of n-grams.
        flops: Floating-point operations of one call given as words, the table's look-up not counted.
        formula: How ``flops`` counts.
    """

    parameters: int | None
    size: int
    embedding_size: int
    flops: Callable[[Words], int]
    formula: str


@dataclass(frozen=True, slots=True)
class Fitted:
    """A model that learned: ``judge`` gives scores (0 to 1) of calls in which something was said."""

    judge: Judge
    thresholds: Thresholds
    cost: Cost

    def score(self, calls: Sequence[Words]) -> NDArray[np.float64]:
        """Return calibrated scores (N,); `EVEN_SCORE`, which never warns, for a call without words."""
        scores = np.full(len(calls), EVEN_SCORE)
        spoken = [place for place, words in enumerate(calls) if words]
        if spoken:
            scores[spoken] = self.judge([calls[place] for place in spoken])
        return scores


class Peer(Protocol):
    """One way to learn; several rows of the table may come of it."""

    @property
    def rows(self) -> tuple[str, ...]:
        """Names of the rows that ``fit`` can give."""
        ...

    def fit(self, calls: Sequence[Call], seed: int, folder: Path) -> Mapping[str, Fitted]:
        """Return fitted models by row; ``folder`` is empty and theirs to write to."""
        ...


@dataclass(frozen=True, slots=True)
class Uncalibrated:
    """A model before calibration: ``judge`` gives logits; ``cost`` is worked out only for models that are kept."""

    judge: Judge
    cost: Callable[[], Cost]


Fit = Callable[[Examples, int], Mapping[str, Uncalibrated]]
"""Fits models, by row, to examples under a seed."""


def fit_calibrated(fit: Fit, calls: Sequence[Call], seed: int) -> dict[str, Fitted]:
    """Return what ``fit`` gives for all calls, calibrated by what the rehearsals on halves gave.

    Raises:
        SplitError: The calls can't be halved for the rehearsals.
    """
    halves = halve_calls(calls, seed)
    rehearsals = [(fit(cut_calls(learned), seed), judged) for learned, judged in (halves, halves[::-1])]
    return {
        row: _calibrated(model, [(rehearsed[row], judged) for rehearsed, judged in rehearsals])
        for row, model in fit(cut_calls(calls), seed).items()
    }


def _calibrated(model: Uncalibrated, rehearsals: Sequence[tuple[Uncalibrated, Sequence[Call]]]) -> Fitted:
    parts = [_judge_windows(rehearsed.judge, calls) for rehearsed, calls in rehearsals]
    logits, words = (np.concatenate(part, axis=1) for part in zip(*parts, strict=True))
    judged = [call for _, calls in rehearsals for call in calls]
    calibration, thresholds = calibrate(logits, words, [int(call.label) for call in judged], weigh_sources(judged))

    def score(calls: Sequence[Words]) -> NDArray[np.float64]:
        return calibrate_logits(model.judge(calls), [*map(len, calls)], calibration)

    return Fitted(score, thresholds, model.cost())


def _judge_windows(judge: Judge, calls: Sequence[Call]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the logits of calls at each of `WINDOWS`, and how many words were heard, both (W, N)."""
    heard = [words_until(call, at) for at in WINDOWS for call in calls]
    lengths = np.array([len(words) for words in heard])
    logits = np.zeros(len(heard))
    logits[lengths > 0] = judge([words for words in heard if words])
    return logits.reshape(len(WINDOWS), -1), lengths.reshape(len(WINDOWS), -1)
