"""Cross-validation of all peers: who scored which call how, and was the verdict the same after a change?

N calls, S seeds.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.comparison.folds import Fold, make_folds
from models.comparison.latency import Latency, measure_latency
from models.comparison.peer import Cost, Fitted, Peer
from models.comparison.rows import Lineup
from models.corpus.counterfactual import choose_hard, fit_strengths, make_counterfactuals
from models.corpus.splits import origins_of
from models.domain.call import Call
from models.text.window import WINDOWS, words_until

FLIPS_AT = (30, 60)
"""Seconds at which verdicts on changed calls are looked at."""

Progress = Callable[[str, int, int], None]
"""Told what begins, how many fits are done, and of how many."""


@dataclass(frozen=True, slots=True)
class Protocol:
    """How peers are compared.

    Attributes:
        folds: Of the cross-validation.
        seeds: One whole cross-validation each: folds and training differ.
        windows: Seconds of call at which they are measured.
        hard: Which normal calls get words worked in, as `choose_hard` takes it.
    """

    folds: int = 5
    seeds: tuple[int, ...] = (0,)
    windows: tuple[float, ...] = WINDOWS
    hard: str = "auto"


@dataclass(frozen=True, slots=True)
class Flip:
    """Verdicts on one changed call: did it warn before and after?"""

    seconds: float
    vishing: bool
    change: str
    before: bool
    after: bool


@dataclass(frozen=True, slots=True)
class Judged:
    """What one row said.

    Attributes:
        scores: By window, (S, N): each call's score by the model that had not seen its fold.
        warnings: By window, (S, N): whether that model's 의심 threshold was reached.
        flips: On changed calls, of all seeds.
        cost: Of the first model fitted.
        latency: Of the first model fitted.
    """

    scores: dict[float, NDArray[np.float64]]
    warnings: dict[float, NDArray[np.bool_]]
    flips: list[Flip] = field(default_factory=list)
    cost: list[tuple[Cost, int, Latency]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Outcome:
    """All that was measured.

    Attributes:
        calls: N.
        origins: What each call was not separated from.
        hard: How many normal calls got words worked in.
        judged: By row.
    """

    calls: Sequence[Call]
    origins: Sequence[Hashable]
    hard: int
    judged: dict[str, Judged]


def cross_validate(
    calls: Sequence[Call], lineup: Lineup, protocol: Protocol, progress: Progress = lambda _, __, ___: None
) -> Outcome:
    """Fit every peer on all but one fold, let it judge that fold, and go on to the next.

    Raises:
        SplitError: There are too few groups of a label for so many folds.
        BadInputError: No normal call is hard as asked for, or the calls hold too few words to learn from.
    """
    total = len(protocol.seeds) * protocol.folds * len(lineup.peers)
    progress("grouping near duplicates", 0, total)
    origins = origins_of(calls)
    hard = choose_hard(calls, protocol.hard)
    judged = {row: _nothing_judged(protocol, (len(protocol.seeds), len(calls))) for row in lineup.rows}
    plan = [
        (at, number, fold)
        for at, seed in enumerate(protocol.seeds)
        for number, fold in enumerate(make_folds(calls, origins, protocol.folds, seed), 1)
    ]
    done = count()
    for at, number, fold in plan:
        test = _Test(calls, fold, hard, protocol, at)
        for peer in lineup.peers:
            test.run(peer, judged, _Teller(progress, f"seed {test.seed}, fold {number}", next(done), total))
    progress("intervals and figures", total, total)
    return Outcome(calls, origins, len(hard), judged)


@dataclass(frozen=True, slots=True)
class _Teller:
    """Says where in the plan a fit stands."""

    progress: Progress
    place: str
    done: int
    total: int

    def __call__(self, doing: str) -> None:
        self.progress(f"{self.place}: {doing}", self.done, self.total)


def _nothing_judged(protocol: Protocol, shape: tuple[int, int]) -> Judged:
    return Judged(
        {seconds: np.zeros(shape) for seconds in protocol.windows},
        {seconds: np.zeros(shape, dtype=bool) for seconds in protocol.windows},
    )


@contextmanager
def _fitted(peer: Peer, test: _Test) -> Iterator[Mapping[str, Fitted]]:
    with tempfile.TemporaryDirectory(prefix="hearsay-compare-") as folder:
        yield peer.fit(test.learned, test.seed, Path(folder))


class _Test:
    """One fold under one seed. Nothing of the calls tested is shown to a peer, or to the choice of words removed."""

    def __init__(self, calls: Sequence[Call], fold: Fold, hard: Sequence[Call], protocol: Protocol, at: int) -> None:
        self.at, self.seed, self.windows = at, protocol.seeds[at], protocol.windows
        self.rows = fold.tested
        self.learned = [calls[place] for place in fold.learned]
        self.tested = [calls[place] for place in fold.tested]
        self.changed = make_counterfactuals(self.tested, hard, fit_strengths(self.learned), self.seed)

    def run(self, peer: Peer, judged: Mapping[str, Judged], tell: Callable[[str], None]) -> None:
        """Fit a peer and add what each of its models says of the fold."""
        tell(f"{peer.rows[0]} learns")
        with _fitted(peer, self) as models:
            for row in models.keys() & judged.keys():
                self._judge(models[row], judged[row], partial(_tell_judging, tell, row))

    def _judge(self, model: Fitted, judged: Judged, tell: Callable[[str], None]) -> None:
        for seconds in self.windows:
            tell(f"{seconds:g} s")
            scores = _score(model, self.tested, seconds)
            judged.scores[seconds][self.at, self.rows] = scores
            judged.warnings[seconds][self.at, self.rows] = scores >= model.thresholds.suspicious
        tell("changed calls")
        for seconds in FLIPS_AT:
            judged.flips.extend(self._flips(model, seconds))
        if not judged.cost:
            latency, words = measure_latency(model, self.tested)
            judged.cost.append((model.cost, model.cost.flops(words), latency))

    def _flips(self, model: Fitted, seconds: float) -> list[Flip]:
        threshold = model.thresholds.suspicious
        before = dict(zip([call.id for call in self.tested], _score(model, self.tested, seconds), strict=True))
        after = _score(model, [each.call for each in self.changed], seconds)
        return [
            Flip(seconds, bool(each.call.label), each.change, before[each.origin] >= threshold, score >= threshold)
            for each, score in zip(self.changed, after.tolist(), strict=True)
        ]


def _tell_judging(tell: Callable[[str], None], row: str, what: str) -> None:
    tell(f"{row} judges {what}")


def _score(model: Fitted, calls: Sequence[Call], seconds: float) -> NDArray[np.float64]:
    return model.score([words_until(call, seconds) for call in calls])
