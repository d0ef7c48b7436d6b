"""How far synthetic calls are from real ones: length, pace, variety, common words, and whether one can tell."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy.stats import spearmanr
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import make_pipeline

from models.corpus.generator import scenario_of
from models.corpus.grouping import group_calls
from models.domain.call import Call, Label
from models.text.clean import split_words
from models.text.window import words_until

_WORDS_OF_A_CALL = 100
"""Words over which variety is measured: it falls with length, so all calls are cut to the same."""

_COMMON, _RANKED = 30, 300
_WINDOW = 60.0
_FOLDS = 5


def measure_calls(calls: Sequence[Call]) -> dict[str, Any]:
    """Return figures of calls that hold no word of theirs.

    ``words`` a call (10 %, 50 %, 90 % quantile), ``words_a_second`` and ``seconds`` (median, of calls with time
    stamps), ``words_by_30_s`` (mean, of the same), ``syllables_a_word`` (mean), ``type_token_ratio`` (mean over the
    first 100 words of calls that have as many). A figure is None where no call has what it needs.
    """
    words = [split_words(call.transcript) for call in calls]
    timed = [(call, len(spoken)) for call, spoken in zip(calls, words, strict=True) if call.segments]
    long = [spoken[:_WORDS_OF_A_CALL] for spoken in words if len(spoken) >= _WORDS_OF_A_CALL]
    ends = [max(segment.end for segment in call.segments) for call, _ in timed]
    return {
        "calls": len(calls),
        "words": [round(float(part)) for part in np.quantile([len(spoken) for spoken in words], (0.1, 0.5, 0.9))],
        "seconds": _rounded(np.median, ends),
        "words_a_second": _rounded(
            np.median, [spoken / end for (_, spoken), end in zip(timed, ends, strict=True) if end]
        ),
        "words_by_30_s": _rounded(np.mean, [len(words_until(call, 30.0)) for call, _ in timed]),
        "syllables_a_word": _rounded(np.mean, [len(word) for spoken in words for word in spoken]),
        "type_token_ratio": _rounded(np.mean, [len(set(spoken)) / _WORDS_OF_A_CALL for spoken in long]),
    }


def common_words(calls: Sequence[Call]) -> list[str]:
    """Return the 30 words that calls hold most often, the most common first. For synthetic calls only: words quote."""
    return [word for word, _ in _frequencies(calls).most_common(_COMMON)]


def compare_with(synthetic: Sequence[Call], real: Sequence[Call]) -> dict[str, Any]:
    """Return how alike two sets of calls of one label are, in figures that quote neither.

    ``common_words_shared`` of the 30 most common of each; ``rank_correlation`` (Spearman's rho) of the frequencies of
    the words among the 300 most common of either; ``roc_auc`` of a classifier that tells one from the other (1: always,
    0.5: not at all), None where a side has fewer than five groups.
    """
    ours, theirs = _frequencies(synthetic), _frequencies(real)
    shared = {word for word, _ in ours.most_common(_COMMON)} & {word for word, _ in theirs.most_common(_COMMON)}
    union = sorted({word for counts in (ours, theirs) for word, _ in counts.most_common(_RANKED)})
    rho = spearmanr([ours[word] for word in union], [theirs[word] for word in union]).statistic
    return {
        "common_words_shared": len(shared),
        "rank_correlation": round(float(rho), 3),
        "roc_auc": tell_apart(synthetic, real),
    }


def tell_apart(synthetic: Sequence[Call], real: Sequence[Call]) -> float | None:
    """Return the ROC-AUC with which TF-IDF of 2-4 characters and a logistic regression tell calls apart by their words.

    Of each call the first 60 s count; five folds, none sharing a scenario or a group of near duplicates with another;
    the mean of their figures. As many calls of each side, the first ones.
    """
    size = min(len(synthetic), len(real))
    calls = [*synthetic[:size], *real[:size]]
    groups = [scenario_of(call.id) for call in synthetic[:size]] + [str(group) for group in group_calls(real[:size])]
    if min(len(set(groups[:size])), len(set(groups[size:]))) < _FOLDS:
        return None
    texts = np.array([" ".join(words_until(call, _WINDOW)) for call in calls], dtype=object)
    is_real = np.repeat([0, 1], size)
    folds = StratifiedGroupKFold(_FOLDS, shuffle=True, random_state=0).split(texts, is_real, groups)
    return round(float(np.mean([_auc(texts, is_real, train, test) for train, test in folds])), 3)


def _auc(texts: Any, is_real: Any, train: Any, test: Any) -> float:
    ngrams = TfidfVectorizer(
        analyzer="char_wb", ngram_range=(2, 4), min_df=2, max_features=50_000, sublinear_tf=True, dtype=np.float32
    )
    model = make_pipeline(ngrams, LogisticRegression(C=10.0, max_iter=200)).fit(texts[train], is_real[train])
    return float(roc_auc_score(is_real[test], model.predict_proba(texts[test])[:, 1]))


def corpus_figures(synthetic: Sequence[Call], real: Sequence[Call] | None = None) -> dict[str, Any]:
    """Return the figures of the corpus page: by label, of the synthetic calls and, where given, against real ones."""
    by_label: dict[str, Any] = {}
    for label in Label:
        ours = _of(synthetic, label)
        figures: dict[str, Any] = {"synthetic": measure_calls(ours), "common_words": common_words(ours)}
        if real is not None and (theirs := _of(real, label)):
            figures["real"] = measure_calls(theirs)
            figures["alike"] = compare_with(ours, theirs)
            figures["alike_by_source"] = {
                source: compare_with(ours, [call for call in theirs if call.source == source])
                for source in sorted({call.source for call in theirs})
            }
        by_label[label.name.lower()] = figures
    return by_label


def _of(calls: Sequence[Call], label: Label) -> list[Call]:
    return [call for call in calls if call.label is label]


def _frequencies(calls: Sequence[Call]) -> Counter[str]:
    return Counter(word for call in calls for word in split_words(call.transcript))


def _rounded(figure: Callable[[Sequence[float]], Any], values: Sequence[float]) -> float | None:
    return round(float(figure(values)), 3) if values else None
