"""What travels in a round's request."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.domain.messages import task_from_values, task_to_values
from models.domain.privacy import CallPrivacy
from models.domain.training import LocalTask
from models.errors import UsageError

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


@given(task=tasks)
def test_a_task_comes_back_from_its_values_as_it_was(task):
    assert task_from_values(task_to_values(task)) == task


@pytest.mark.parametrize("name", ["call-clip-norm", "call-noise-multiplier", "call-batch", "call-delta"])
def test_a_task_that_names_part_of_the_call_privacy_is_refused_and_not_trained_without_it(name):
    values = task_to_values(TASK)
    del values[name]
    with pytest.raises(KeyError):
        task_from_values(values)


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
