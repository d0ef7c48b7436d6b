"""Fitting the bag of n-grams.

N calls, B buckets.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.sparse import csr_array
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.linear_model import LogisticRegression

from models.detector.cut_calls import LEARNED_AT, cut_calls
from models.detector.ngram_bag import NgramBag, distinct_ngrams
from models.domain.call import Call
from models.text.ngrams import NgramScheme
from models.text.vocabulary import FEWEST_CALLS
from models.text.window import words_until

_INVERSE_PENALTY = 3.0
"""1, 3, 10 and 30 came out alike on real calls; lower keeps more of what synthetic calls teach for real ones."""

_MOST_STEPS = 400


def fit_bag(calls: Sequence[Call], scheme: NgramScheme) -> NgramBag:
    """Return the bag of n-grams that tells calls of the two labels apart; every source and label weighs the same.

    The calls are heard at each of the seconds at which a growing call is judged. N-grams of fewer than `FEWEST_CALLS`
    calls stay unknown: a release tells no more of them than its vocabulary does. Calls of one label alone, or without
    such n-grams, give a silent bag.
    """
    examples = cut_calls(calls)
    known = _hold([words_until(call, LEARNED_AT[-1]) for call in calls], scheme).sum(axis=0) >= FEWEST_CALLS  # (B + 1,)
    if len(set(examples.labels.tolist())) < 2 or not known.any():
        return NgramBag.silent(scheme)
    held = _hold(examples.words, scheme)
    rarity = TfidfTransformer()
    vectors = rarity.fit_transform(held.multiply(known).tocsr())
    fitted = LogisticRegression(C=_INVERSE_PENALTY, max_iter=_MOST_STEPS)
    fitted.fit(vectors, examples.labels, sample_weight=examples.weights)
    rarities = rarity.idf_ * known
    table = np.stack([fitted.coef_[0] * rarities, rarities**2], axis=1).astype(np.float16)
    return NgramBag(table, float(fitted.intercept_[0]))


def _hold(calls: Sequence[Sequence[str]], scheme: NgramScheme) -> csr_array:
    """Return (N, B + 1): 1 where a call holds an n-gram."""
    held = list(distinct_ngrams(calls, scheme))
    ends = np.cumsum([0, *(len(ids) for ids in held)])
    columns = np.concatenate([np.zeros(0, np.int32), *held])
    return csr_array((np.ones(len(columns)), columns, ends), shape=(len(held), scheme.buckets + 1))
