from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array
from sklearn.feature_extraction.text import TfidfTransformer

from models.detector.bag_training import fit_bag
from models.detector.cut_calls import cut_calls
from models.detector.ngram_bag import NgramBag, distinct_ngrams
from models.domain.call import Call, Label
from models.errors import ModelFileError
from models.text.ngrams import ngram_ids
from models.text.vocabulary import FEWEST_CALLS
from tests.models.detector.small import SCHEME, authored_calls, small_bag

words = st.lists(st.text("가나다라마바사아자차", min_size=1, max_size=5), max_size=12)


@given(call=words)
def test_a_call_is_judged_by_the_ngrams_that_it_holds(call: list[str]) -> None:
    bag = small_bag()
    held = {number for word in call for number in ngram_ids(word, SCHEME)}
    weights = math.fsum(float(bag.table[number, 0]) for number in held)
    squares = math.fsum(float(bag.table[number, 1]) for number in held)

    expected = bag.bias + (weights / math.sqrt(squares) if held else 0)
    assert bag.judge([call], SCHEME)[0] == pytest.approx(expected, rel=1e-6)


@given(call=words, seed=st.integers(0, 9))
def test_order_and_repetition_change_nothing(call: list[str], seed: int) -> None:
    shuffled = list(np.random.default_rng(seed).permutation(call + call)) if call else []

    assert small_bag().judge([shuffled], SCHEME) == pytest.approx(small_bag().judge([call], SCHEME))


def test_no_calls_have_no_logits_and_calls_without_a_known_ngram_the_bias() -> None:
    bag, unknown = small_bag(), NgramBag(np.zeros_like(small_bag().table), bias=-0.7)

    assert bag.judge([], SCHEME).shape == (0,)
    assert bag.judge([[]], SCHEME).tolist() == [bag.bias]
    assert unknown.judge([["검찰"], []], SCHEME).tolist() == [-0.7, -0.7]


def test_it_learns_what_tells_the_labels_apart() -> None:
    calls = authored_calls(40)
    bag = fit_bag(calls[:30], SCHEME)

    logits = bag.judge([call.transcript.split() for call in calls[30:]], SCHEME)

    assert [logit > 0 for logit in logits] == [call.label is Label.VISHING for call in calls[30:]]


def test_what_ships_is_the_regression_on_scikit_learns_vectors_but_for_rounding() -> None:
    calls = authored_calls()
    bag, examples = fit_bag(calls, SCHEME), cut_calls(calls)
    held = list(distinct_ngrams(examples.words, SCHEME))
    ends, columns = np.cumsum([0, *map(len, held)]), np.concatenate(held)
    counts = csr_array((np.ones(len(columns)), columns, ends), shape=(len(held), SCHEME.buckets + 1))
    known = bag.table[:, 1] > 0

    vectors = TfidfTransformer().fit_transform(counts.multiply(known).tocsr())
    rarities = np.sqrt(bag.table[:, 1].astype(np.float64))
    coefficients = np.divide(bag.table[:, 0], rarities, out=np.zeros(len(known)), where=known)

    np.testing.assert_allclose(bag.judge(examples.words, SCHEME), vectors @ coefficients + bag.bias, atol=5e-3)


@pytest.mark.parametrize(("calls", "known"), [(1, False), (FEWEST_CALLS - 1, False), (FEWEST_CALLS, True)])
def test_an_ngram_of_too_few_calls_leaves_nothing_in_the_table(calls: int, known: bool) -> None:
    rare = set(ngram_ids("쀍", SCHEME)) - set(ngram_ids("네", SCHEME))
    others = [call for call in authored_calls() if not rare & _held(call)]
    saying = [Call(f"rare-{at}", Label.NORMAL, text="쀍 쀍 " + "네 " * 60, source="authored") for at in range(calls)]

    assert fit_bag([*others, *saying], SCHEME).table[list(rare)].any() == known


def _held(call: Call) -> set[int]:
    return set(next(distinct_ngrams([call.transcript.split()], SCHEME)).tolist())


def test_every_source_and_label_weighs_the_same() -> None:
    """The word is in no vishing call and half of the normal ones of a large source; in all and none of a small one."""
    filler, word = "네 그런데 말씀하신 ", "쀍"
    said = {("large", 1): [filler] * 20, ("large", 0): [filler, filler + word] * 10}
    said |= {("small", 1): [filler + word] * 5, ("small", 0): [filler] * 5}
    calls = [
        Call(f"{source}-{label}-{at}", Label(label), text=text, source=source)
        for (source, label), texts in said.items()
        for at, text in enumerate(texts)
    ]

    weights = fit_bag(calls, SCHEME).table[list(ngram_ids(word, SCHEME)), 0]

    assert (weights > 0).all()  # .5 against .25; 5 of 25 against 10 of 25 if every call weighed the same


def test_calls_of_one_label_give_a_silent_bag() -> None:
    normal = [call for call in authored_calls() if call.label is Label.NORMAL]

    assert not fit_bag(normal, SCHEME).judge([["검찰에서"]], SCHEME).any()


@given(factor=st.floats(0.01, 20))
def test_a_scaled_bag_says_the_same_louder(factor: float) -> None:
    calls = [["검찰에서", "계좌를"], ["점심을"], []]

    expected = factor * small_bag().judge(calls, SCHEME)
    np.testing.assert_allclose(small_bag().scaled(factor).judge(calls, SCHEME), expected, rtol=5e-3, atol=1e-3)


def test_a_saved_bag_comes_back_as_it_was(tmp_path: Path) -> None:
    small_bag().save(tmp_path / "bag.npz")

    again = NgramBag.load(tmp_path / "bag.npz")
    np.testing.assert_array_equal(again.table, small_bag().table)
    assert again.bias == small_bag().bias


BAD: dict[str, Callable[[], NgramBag]] = {
    "single precision": lambda: NgramBag(np.zeros((5, 2), np.float32)),  # type: ignore[arg-type]
    "no rows": lambda: NgramBag(np.zeros((0, 2), np.float16)),
    "a square below zero": lambda: NgramBag(np.array([[0, 0], [1, -1]], np.float16)),
    "three columns": lambda: NgramBag(np.zeros((5, 3), np.float16)),
    "a padding that says something": lambda: NgramBag(np.ones((5, 2), np.float16)),
    "a number that is not finite": lambda: NgramBag(np.array([[0, 0], [np.nan, 1]], np.float16)),
    "a bias that is not finite": lambda: NgramBag(np.zeros((5, 2), np.float16), math.inf),
    "a factor beyond half precision": lambda: small_bag().scaled(1e9),
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
@pytest.mark.filterwarnings("ignore:overflow")
def test_a_bag_that_cant_be_is_refused(bad: Callable[[], NgramBag]) -> None:
    with pytest.raises(ModelFileError):
        bad()
