"""TF-IDF over characters with logistic regression: what little it takes to get far."""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline

from models.comparison.peer import Cost, Fitted, Uncalibrated, fit_calibrated
from models.detector.cut_calls import Examples, Words
from models.domain.call import Call

ROW = "tfidf-logistic-regression"

_SHORTEST, _LONGEST = 2, 4
_RAREST = 2
"""Examples that an n-gram must stand in at least."""

_INVERSE_PENALTY = 10.0
_MOST_STEPS = 300


@dataclass(frozen=True, slots=True)
class CharacterNgrams:
    """TF-IDF of 2 to 4 characters, spaces counted, and logistic regression."""

    rows: tuple[str, ...] = (ROW,)

    def fit(self, calls: Sequence[Call], seed: int, folder: Path) -> Mapping[str, Fitted]:
        """Return the fitted model."""
        return fit_calibrated(_fit, calls, seed)


def _fit(examples: Examples, seed: int) -> dict[str, Uncalibrated]:
    vectors = TfidfVectorizer(
        analyzer="char",
        ngram_range=(_SHORTEST, _LONGEST),
        min_df=min(_RAREST, len(examples.words)),
        sublinear_tf=True,
        lowercase=False,
        dtype=np.float32,
    )
    regression = LogisticRegression(C=_INVERSE_PENALTY, max_iter=_MOST_STEPS, random_state=seed)
    model = Pipeline([("vectors", vectors), ("regression", regression)])
    model.fit(_texts(examples.words), examples.labels, regression__sample_weight=examples.weights)

    def judge(calls: Sequence[Words]) -> NDArray[np.float64]:
        return np.asarray(model.decision_function(_texts(calls)), dtype=np.float64)

    return {ROW: Uncalibrated(judge, lambda: _cost(model))}


def _texts(calls: Sequence[Words]) -> list[str]:
    return [" ".join(words) for words in calls]


def _cost(model: Pipeline) -> Cost:
    def flops(words: Words) -> int:
        return 4 * int(model["vectors"].transform(_texts([words])).nnz)

    return Cost(
        parameters=int(model["regression"].coef_.size) + 1,
        size=len(pickle.dumps(model)),
        embedding_size=0,
        flops=flops,
        formula="4 for each distinct n-gram of the call: weight, norm, product, sum",
    )
