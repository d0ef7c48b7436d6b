"""What travels in a round's request."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.domain.messages import task_from_values, task_to_values
from models.domain.privacy import CallPrivacy
from models.domain.secure_aggregation import SecureTerms, ThreatModel
from models.domain.training import LocalTask
from models.errors import TaskRefusedError, UsageError

positive = st.floats(1e-6, 1e6)
whole = st.integers(1, 10_000)
call_privacies = st.builds(CallPrivacy, positive, positive, whole, st.floats(1e-12, 0.5))
tasks = st.builds(
    LocalTask,
    round_number=whole,
    epochs=whole,
    batch_calls=whole,
    learning_rate=positive,
    vishing_weight=positive,
    shortest_words=st.integers(1, 50),
    longest_words=st.integers(50, 400),
    clip_norm=st.none() | positive,
    call_privacy=st.none() | call_privacies,
    seed=st.none() | st.integers(0, 2**62),
)

TASK = LocalTask(
    round_number=1,
    epochs=1,
    batch_calls=8,
    learning_rate=0.1,
    vishing_weight=1.0,
    shortest_words=1,
    longest_words=9,
    clip_norm=1.0,
    call_privacy=CallPrivacy(1.0, 1.0, 4, 1e-5),
    seed=None,
)

TERMS = SecureTerms(ThreatModel.ACTIVE, 0.1, 3, 10, 0.5)


@given(task=tasks)
def test_a_task_comes_back_from_its_values_as_it_was(task):
    assert task_from_values(task_to_values(task)) == task


@pytest.mark.parametrize("name", ["call-clip-norm", "call-noise-multiplier", "call-batch", "call-delta"])
def test_a_task_that_names_part_of_the_call_privacy_is_refused_and_not_trained_without_it(name):
    values = task_to_values(TASK)
    del values[name]
    with pytest.raises(TaskRefusedError, match=name):
        task_from_values(values)


WHOLE_VALUES = task_to_values(replace(TASK, seed=1, participations=3, secure=TERMS))
odd = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(10**5000), 10**5000)
    | st.floats()
    | st.sampled_from([5e-324, 1e300, 1e12, 0, -5, 2**63])
    | st.text()
    | st.binary()
    | st.lists(st.integers())
)


@given(
    changed=st.dictionaries(st.sampled_from(sorted(WHOLE_VALUES)) | st.text(), odd, max_size=4),
    missing=st.sets(st.sampled_from(sorted(WHOLE_VALUES)), max_size=2),
)
def test_any_values_make_a_task_within_its_limits_or_are_refused_by_type(changed, missing):
    values = {name: value for name, value in WHOLE_VALUES.items() if name not in missing} | changed
    try:
        task = task_from_values(values)
    except TaskRefusedError:
        return
    assert task_to_values(task) == values
    assert 1 <= task.round_number < 2**32
    assert 1 <= task.shortest_words <= task.longest_words <= 1_000_000
    assert 1e-12 <= task.learning_rate <= 1e6


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("round", 0),
        ("round", -5),
        ("round", math.inf),
        ("round", 1.5),
        ("round", True),
        ("round", 2**70),
        ("release", -1),
        ("learning-rate", 1e300),
        ("learning-rate", math.nan),
        ("learning-rate", "0.1"),
        ("clip-norm", 1e-320),
        ("longest-words", 10**12),
        ("epochs", 10**9),
        ("seed", -1),
        ("call-delta", 1e-300),
        ("call-noise-multiplier", 1e-300),
        ("secure-threat-model", "none"),
        ("secure-threat-model", ["active"]),
        ("secure-most-devices", 2**40),
        ("secure-noise-deviation", 1e-320),
        ("secure-expected-dropout", math.nan),
        ("secure-future-rule", 1),
    ],
)
def test_an_odd_value_is_refused_by_type(name, value):
    with pytest.raises(TaskRefusedError):
        task_from_values(WHOLE_VALUES | {name: value})


@pytest.mark.parametrize(
    "change",
    [
        {"epochs": 0},
        {"batch_calls": 0},
        {"learning_rate": float("nan")},
        {"learning_rate": 0.0},
        {"shortest_words": 0},
        {"shortest_words": 10},
        {"clip_norm": float("inf")},
        {"clip_norm": float("nan")},
        {"clip_norm": 0.0},
    ],
)
def test_a_task_that_cannot_be_carried_out_is_refused(change):
    with pytest.raises(UsageError):
        replace(TASK, **change)
