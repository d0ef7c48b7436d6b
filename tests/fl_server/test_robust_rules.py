"""Rules that a few bad updates can't pull far."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord

from fl_server.aggregation import UpdateSum
from fl_server.robust_rules import RobustMean, RobustPlan
from models.domain.messages import UPDATE, VECTOR
from models.domain.round import ReplyFate, RobustRule
from models.errors import UpdateRefusedError, UsageError
from simulations.grid import InProcessGrid
from tests.small_federation import (
    DEVICES,
    EVERYBODY,
    TASK,
    Watcher,
    run_federation,
    same_arrays,
    small_grid,
    spoiled_app,
    start_parameters,
)

SIZE = 5
PLAIN = replace(EVERYBODY, person_privacy=None, task=replace(TASK, clip_norm=None), rounds=1)


def update(value: float) -> np.ndarray:
    return np.full(SIZE, value, np.float32)


@pytest.fixture(autouse=True)
def server_identity():
    """Flower's messages ask for the identity of the running server, which a grid sets."""
    small_grid()


def mean_of(rule: RobustRule, values: list[float], bad_share: float = 0.25) -> np.ndarray:
    total = RobustMean(SIZE, RobustPlan(rule, bad_share))
    for value in values:
        total.fold(update(value))
    return total.mean()


@pytest.mark.parametrize(
    ("rule", "values", "by_hand"),
    [
        (RobustRule.MEDIAN, [1, 2, 3, 4, 1000], 3),
        (RobustRule.TRIMMED_MEAN, [-1000, 1, 2, 3, 4, 5, 6, 1000], 3.5),
        (RobustRule.MULTI_KRUM, [1, 1.1, 1.2, 1.3, 1.4, 1.5, 1000, -1000], 1.25),
    ],
)
def test_a_rule_gives_what_is_worked_out_by_hand_however_far_the_bad_ones_pull(rule, values, by_hand):
    assert mean_of(rule, values) == pytest.approx(np.full(SIZE, by_hand), rel=1e-3)


@pytest.mark.parametrize("rule", RobustRule)
def test_bad_devices_move_a_rule_less_than_the_mean(rule):
    generator = np.random.default_rng(0)
    good, bad = list(generator.normal(1.0, 0.1, size=8)), [50.0, 50.0]
    plain = UpdateSum(SIZE, None)
    for value in good + bad:
        plain.fold(update(value))
    assert abs(mean_of(rule, good + bad, 0.2)[0] - 1.0) < 0.2 < abs(plain.mean()[0] - 1.0)


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e30])
def test_an_update_that_is_refused_of_a_sum_is_refused_of_a_rule(bad):
    total = RobustMean(SIZE, RobustPlan(RobustRule.MEDIAN, 0.2))
    with pytest.raises(UpdateRefusedError):
        total.fold(update(bad))
    assert total.folded == 0


@pytest.mark.parametrize(("updates", "borne"), [(2, False), (4, False), (5, True), (20, True)])
def test_krum_asks_for_twice_the_bad_ones_and_three(updates, borne):
    assert RobustPlan(RobustRule.MULTI_KRUM, 0.2).bears(updates) is borne


@pytest.mark.parametrize("share", [-0.1, 0.5, float("nan")])
def test_a_share_that_no_rule_bears_is_refused(share):
    with pytest.raises(UsageError):
        RobustPlan(RobustRule.MEDIAN, share)


def poison(reply) -> None:
    """Turn an honest update into one that pushes the other way, ten times as far; it is finite and well formed."""
    honest = reply.content.array_records[UPDATE][VECTOR].numpy()
    reply.content[UPDATE] = ArrayRecord({VECTOR: Array(-10 * honest)})


def poisoned_grid() -> InProcessGrid:
    return small_grid(spoiled_app({6: poison}))


@pytest.mark.parametrize("rule", RobustRule)
def test_a_federation_under_a_rule_runs_counts_and_resumes_nothing_new(tmp_path, rule):
    watcher, plan = Watcher(), replace(PLAIN, robust=RobustPlan(rule, 1 / 6))
    federation = run_federation(tmp_path / "run", plan, poisoned_grid(), watcher)
    assert watcher.published[0].fates == {ReplyFate.FOLDED: DEVICES}
    assert not same_arrays(federation.model_after(1), start_parameters())
    again = run_federation(tmp_path / "again", plan, poisoned_grid())
    assert same_arrays(again.model_after(1), federation.model_after(1))


def test_too_few_updates_for_a_rules_promise_change_nothing(tmp_path):
    plan = replace(PLAIN, robust=RobustPlan(RobustRule.MULTI_KRUM, 0.45))
    federation = run_federation(tmp_path, plan, small_grid())
    assert same_arrays(federation.model_after(1), start_parameters())
