"""Folds for cross-validation: stratified, and near duplicates never share two of them."""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold

from models.domain.call import Call, Label
from models.errors import SplitError


@dataclass(frozen=True, slots=True)
class Fold:
    """Places of calls: what may be learned from, and what is only scored."""

    learned: NDArray[np.int64]
    tested: NDArray[np.int64]


def make_folds(calls: Sequence[Call], origins: Sequence[Hashable], folds: int, seed: int) -> list[Fold]:
    """Return folds that are alike by label and source; calls of one origin are tested in one fold.

    Args:
        calls: Labelled calls (N).
        origins: What each must not be separated from (N), as of `origins_of`.
        folds: At least 2.
        seed: Of the draw.

    Raises:
        SplitError: A label has fewer origins than there are folds.
    """
    _check_origins(calls, origins, folds)
    numbers = {origin: number for number, origin in enumerate(dict.fromkeys(origins))}
    strata = [f"{call.label}/{call.source}" for call in calls]
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        # A source with fewer calls than folds is fine: it is missing from some.
        warnings.simplefilter("ignore", UserWarning)
        pairs = list(splitter.split(np.zeros(len(calls)), strata, [numbers[origin] for origin in origins]))
    return [_checked(Fold(learned, tested), calls) for learned, tested in pairs]


def _check_origins(calls: Sequence[Call], origins: Sequence[Hashable], folds: int) -> None:
    own: dict[Label, set[Hashable]] = defaultdict(set)
    for call, origin in zip(calls, origins, strict=True):
        own[call.label].add(origin)
    for label in Label:
        if len(own[label]) < folds:
            name, found = label.name.lower(), len(own[label])
            raise SplitError(f"{folds} folds need as many groups of near duplicates of {name} calls, not {found}")


def _checked(fold: Fold, calls: Sequence[Call]) -> Fold:
    for places, side in ((fold.learned, "the calls to learn from"), (fold.tested, "a fold's test calls")):
        if len({calls[place].label for place in places}) < len(Label):
            raise SplitError(f"{side} would hold one label only: the groups of near duplicates are too large for folds")
    return fold
