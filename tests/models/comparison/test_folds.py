from __future__ import annotations

from collections import Counter

import pytest

from models.comparison.folds import make_folds
from models.corpus.generator import generate_calls, scenario_of
from models.corpus.grouping import group_calls
from models.corpus.splits import origins_of, split_by_origin
from models.domain.call import Call, Label
from models.errors import SplitError
from tests.models.detector.small import authored_calls


def _with_twins(count: int) -> list[Call]:
    """Calls of which each has a near duplicate: the same with one word more."""
    calls = authored_calls(count)
    return calls + [Call(f"{call.id}-twin", call.label, text=f"{call.text} 네", source=call.source) for call in calls]


def test_every_call_is_tested_once_and_near_duplicates_together() -> None:
    calls = _with_twins(20)
    groups = group_calls(calls)
    folds = make_folds(calls, origins_of(calls), folds=5, seed=0)

    assert sorted(place for fold in folds for place in fold.tested) == list(range(len(calls)))
    for fold in folds:
        assert set(fold.learned) | set(fold.tested) == set(range(len(calls)))
        assert not {groups[place] for place in fold.learned} & {groups[place] for place in fold.tested}


def test_folds_are_alike_by_label_and_source() -> None:
    calls = authored_calls(40)
    calls = [Call(c.id, c.label, text=c.text, source="ab"[number // 2 % 2]) for number, c in enumerate(calls)]
    for fold in make_folds(calls, origins_of(calls), folds=5, seed=1):
        counts = Counter((calls[place].label, calls[place].source) for place in fold.tested)
        assert set(counts.values()) == {2}
        assert len(counts) == 4


def test_synthetic_calls_of_one_scenario_share_a_fold() -> None:
    calls = generate_calls(300, seed=0)
    for fold in make_folds(calls, origins_of(calls), folds=3, seed=0):
        learned, tested = ({scenario_of(calls[place].id) for place in side} for side in (fold.learned, fold.tested))
        assert not learned & tested


def test_the_rehearsals_split_keeps_scenarios_and_near_duplicates_on_one_side() -> None:
    calls = [*generate_calls(60, seed=0), *_with_twins(20)]
    learned, apart = split_by_origin(calls, 0.2, seed=0)
    origins = dict(zip([call.id for call in calls], origins_of(calls), strict=True))

    assert len(learned) + len(apart) == len(calls)
    assert not {origins[call.id] for call in learned} & {origins[call.id] for call in apart}


def test_another_seed_draws_other_folds() -> None:
    calls = authored_calls(40)
    first, again, other = (make_folds(calls, origins_of(calls), 4, seed)[0].tested.tolist() for seed in (0, 0, 1))
    assert first == again != other


@pytest.mark.parametrize("label", list(Label))
def test_a_label_with_fewer_groups_than_folds_is_an_error(label: Label) -> None:
    calls = authored_calls(20)
    few = [call for call in calls if call.label is not label] + [call for call in calls if call.label is label][:4]
    with pytest.raises(SplitError, match=f"{label.name.lower()} calls, not 4"):
        make_folds(few, origins_of(few), folds=5, seed=0)


def test_one_label_only_is_an_error() -> None:
    calls = [call for call in authored_calls(20) if call.label is Label.NORMAL]
    with pytest.raises(SplitError, match="vishing calls, not 0"):
        make_folds(calls, origins_of(calls), folds=2, seed=0)
