"""Kill -9 at every named point of a round: the resumed run equals the uninterrupted one, the ledger owes no less."""

from __future__ import annotations

import contextlib
import json
from dataclasses import replace

import pytest

from fl_server.federation import RoundPoint
from fl_server.ledger import read_spending
from models.domain.privacy import AdaptiveClipping, Adversary, Mechanism
from models.errors import BudgetSpentError
from models.privacy.accounting import person_epsilon
from tests.fl_server.killed_rounds import die_at, grid_of, watcher_of
from tests.killing import KILLED, exit_code_of
from tests.secure_federation import secure_plan
from tests.small_federation import PERSON_PRIVACY, PLAN, TASK, run_federation, same_arrays, small_grid

pytestmark = pytest.mark.usefixtures("one_thread")

ADAPTIVE = AdaptiveClipping(quantile=0.5, learning_rate=0.2, bit_noise=2.0, smallest=0.1, largest=4.0)

PLANS = {
    "gaussian": PLAN,
    "ftrl": replace(PLAN, person_privacy=replace(PERSON_PRIVACY, mechanism=Mechanism.FTRL, tree_rounds=2)),
    "adaptive": replace(PLAN, person_privacy=replace(PERSON_PRIVACY, adaptive=ADAPTIVE)),
    "secure": secure_plan(),
}


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    """Runs that nothing interrupted, and what they published, by plan."""
    runs = {}
    for name, plan in PLANS.items():
        watcher = watcher_of(plan)
        runs[name] = (run_federation(tmp_path_factory.mktemp(name), plan, grid_of(plan), watcher), watcher.published)
    return runs


def charged_rounds(folder) -> list[int]:
    """Return the rounds in a ledger, read as an auditor would: without our code."""
    return [json.loads(line)["round"] for line in (folder / "ledger.jsonl").read_text().splitlines()]


# Each plan dies in the middle of its run; two at every point, the others where their own state is at stake.
WALK = [(name, 2, point) for name in ("gaussian", "secure") for point in RoundPoint]
WALK += [("ftrl", 2, point) for point in (RoundPoint.CHARGED, RoundPoint.STEPPED, RoundPoint.SAVED)]
WALK += [("ftrl", 3, RoundPoint.CHARGED), ("adaptive", 2, RoundPoint.STEPPED), ("gaussian", 1, RoundPoint.CHARGED)]


@pytest.mark.parametrize(("name", "round_number", "point"), WALK)
def test_a_run_killed_at_any_point_ends_as_an_uninterrupted_one_and_never_owes_less(
    tmp_path, uninterrupted, name, round_number, point
):
    plan, (whole, reports) = PLANS[name], uninterrupted[name]
    assert exit_code_of(die_at, tmp_path, plan, round_number, point) == KILLED
    begun = round_number  # its devices may have been asked: from "charged" on, the round must be paid for
    assert charged_rounds(tmp_path) == list(range(1, begun + 1))
    watcher = watcher_of(plan)
    resumed = run_federation(tmp_path, plan, grid_of(plan), watcher)
    for number in range(plan.rounds + 1):
        assert same_arrays(resumed.model_after(number), whole.model_after(number))
    assert watcher.published == reports[-len(watcher.published) :]
    assert charged_rounds(tmp_path) == [1, 2, 3]
    assert [charge["epsilon"]["recipients"] for charge in read_spending(tmp_path / "ledger.jsonl")] == [
        report.epsilon for report in reports
    ]


def test_a_killed_tree_with_people_begins_anew_and_the_ledger_prices_both_trees(tmp_path):
    """Its noise was in memory alone. Three participations in trees of 1 and 2 rounds cost no more than in 2 and 1."""
    plan = replace(PLANS["ftrl"], task=replace(TASK, seed=None))
    assert exit_code_of(die_at, tmp_path, plan, 1, RoundPoint.SAVED) == KILLED
    run_federation(tmp_path, plan, small_grid())
    lines = [json.loads(line) for line in (tmp_path / "ledger.jsonl").read_text().splitlines()]
    assert [(line["round"], line["starts_tree"]) for line in lines] == [(1, True), (2, True), (3, True)]


def test_a_killed_round_of_a_tree_with_people_is_paid_for_again_and_never_beyond_the_plan(tmp_path):
    """Whoever takes part 3 times at most loses nothing by it; 4 times would move the nodes of 3 trees further."""
    for participations, allowed in ((3, [1, 1, 2, 3]), (4, [1, 1, 2])):
        privacy = replace(PLANS["ftrl"].person_privacy, participations=participations)
        plan = replace(PLAN, person_privacy=privacy, task=replace(TASK, seed=None))
        folder = tmp_path / str(participations)
        assert exit_code_of(die_at, folder, plan, 1, RoundPoint.STEPPED) == KILLED
        with contextlib.nullcontext() if participations == 3 else pytest.raises(BudgetSpentError):
            run_federation(folder, plan, small_grid())
        assert charged_rounds(folder) == allowed
        spent = read_spending(folder / "ledger.jsonl")[-1]["epsilon"]["server"]
        assert spent <= person_epsilon(privacy, Adversary.SERVER, plan.rounds)
