"""The round loop, and what a kill at any of its steps leaves behind."""

from __future__ import annotations

import itertools
import json
import os
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from flwr.app import Context, RecordDict

from fl_server.aggregation import UpdateSum
from fl_server.checkpoint import load_checkpoint
from fl_server.federation import Federation, Surroundings, build_server_app
from fl_server.ledger import read_spending
from fl_server.server_noise import ServerNoise
from models.domain.privacy import AdaptiveClipping, Adversary, Mechanism, SimulatedCounts
from models.domain.round import ReplyFate
from models.errors import BudgetSpentError, CheckpointError, FolderInUseError, LedgerError, QuorumError
from models.folder_lock import locked_folder
from models.privacy.accounting import person_epsilon
from models.privacy.tree_accounting import tree_sensitivity_squared
from models.privacy.vectors import flatten
from tests.noise_scale import is_gaussian_noise
from tests.small_federation import (
    CALL_PRIVACY,
    DEVICES,
    EVERYBODY,
    PERSON_PRIVACY,
    PLAN,
    TASK,
    Watcher,
    judge,
    run_federation,
    same_arrays,
    small_grid,
    spoiled_app,
    start_parameters,
)

UNSEEDED = replace(PLAN, task=replace(TASK, seed=None))
UNPROTECTED = replace(PLAN, person_privacy=None, task=replace(TASK, clip_norm=None))


class Killed(BaseException):
    """Stands for the end of the process: no ``except Exception`` may hold it up."""


def charged_rounds(folder) -> list[int]:
    """Return the rounds in a ledger, read as an auditor would: without our code."""
    path = folder / "ledger.jsonl"
    return [json.loads(line)["round"] for line in path.read_text().splitlines()] if path.exists() else []


def test_a_run_reports_every_round_and_its_model_moves(tmp_path):
    watcher = Watcher()
    federation = run_federation(tmp_path, PLAN, small_grid(), watcher)
    assert [report.number for report in watcher.published] == [1, 2, 3]
    assert watcher.published == watcher.before_saving
    assert federation.rounds_done() == 3
    models = [flatten(federation.model_after(number)) for number in range(4)]
    assert np.array_equal(models[0], flatten(start_parameters()))
    assert len({model.tobytes() for model in models}) == 4


def test_the_server_app_runs_the_federation(tmp_path):
    federation = Federation(PLAN, start_parameters(), tmp_path, Watcher().surroundings())
    build_server_app(federation)(small_grid(), Context(1, 0, {}, RecordDict(), {}))
    assert federation.rounds_done() == 3


def test_a_seeded_run_repeats_bit_for_bit_and_another_seed_gives_another_model(tmp_path):
    first = run_federation(tmp_path / "first", PLAN, small_grid())
    again = run_federation(tmp_path / "again", PLAN, small_grid())
    other = run_federation(tmp_path / "other", replace(PLAN, task=replace(TASK, seed=8)), small_grid())
    assert same_arrays(first.model_after(3), again.model_after(3))
    assert not same_arrays(first.model_after(3), other.model_after(3))


def test_runs_without_a_seed_differ(tmp_path):
    plan = replace(EVERYBODY, task=UNSEEDED.task)  # where nobody is drawn, nothing changes
    runs = [run_federation(tmp_path / str(number), plan, small_grid()) for number in range(2)]
    assert not same_arrays(runs[0].model_after(1), runs[1].model_after(1))


def test_a_round_without_training_moves_the_model_by_the_promised_noise(tmp_path):
    """Nobody replies: what moves the model is noise of multiplier 1 and norm 1 over a cohort of 6, smoothed by .1."""
    for plan in (EVERYBODY, replace(EVERYBODY, task=replace(TASK, seed=None))):
        folder = tmp_path / f"seed {plan.task.seed}"
        silent = small_grid(is_lost=lambda _round, _device: True)
        federation = run_federation(folder, replace(plan, quorum=0, rounds=1), silent)
        moved = flatten(federation.model_after(1)) - flatten(start_parameters())
        assert is_gaussian_noise(moved, 0.1 * 1.0 / DEVICES)
        assert not is_gaussian_noise(moved, 1.3 * 0.1 * 1.0 / DEVICES)
        assert not is_gaussian_noise(moved, 0.7 * 0.1 * 1.0 / DEVICES)


def test_every_rounds_noise_is_new(tmp_path):
    silent = small_grid(is_lost=lambda _round, _device: True)
    plan = replace(EVERYBODY, quorum=0, step=replace(PLAN.step, momentum=0.0))
    federation = run_federation(tmp_path, plan, silent)
    models = [flatten(federation.model_after(number)) for number in range(4)]
    first, second, third = (after - before for before, after in itertools.pairwise(models))
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.05
    assert abs(np.corrcoef(second, third)[0, 1]) < 0.05


def test_a_run_without_user_level_privacy_moves_by_the_plain_mean_and_keeps_no_ledger(tmp_path):
    watcher = Watcher()
    federation = run_federation(tmp_path, replace(UNPROTECTED, rounds=1), small_grid(), watcher)
    assert watcher.published[0].epsilon is None
    assert not (tmp_path / "ledger.jsonl").exists()
    assert not same_arrays(federation.model_after(1), start_parameters())


def test_below_the_quorum_the_model_stays_as_it_is_and_the_round_is_charged_all_the_same(tmp_path):
    watcher = Watcher()
    plan = replace(EVERYBODY, quorum=DEVICES)
    federation = run_federation(tmp_path, plan, small_grid(is_lost=lambda _round, device: device == 0), watcher)
    assert same_arrays(federation.model_after(3), start_parameters())
    assert charged_rounds(tmp_path) == [1, 2, 3]
    assert [report.fates[ReplyFate.FOLDED] for report in watcher.published] == [DEVICES - 1] * 3


def test_at_the_quorum_the_model_moves(tmp_path):
    plan = replace(EVERYBODY, quorum=DEVICES)
    assert not same_arrays(run_federation(tmp_path, plan, small_grid()).model_after(1), start_parameters())


def test_a_round_below_the_quorum_changes_nothing_for_the_next(tmp_path):
    """Momentum neither fades nor builds up while nobody replies."""
    plan = replace(EVERYBODY, rounds=2, person_privacy=replace(EVERYBODY.person_privacy, rounds=2))
    grid = small_grid(is_lost=lambda round_name, _device: round_name == "2")
    federation = run_federation(tmp_path, plan, grid)
    assert same_arrays(federation.model_after(2), federation.model_after(1))


def test_each_report_says_what_the_ledger_has_spent(tmp_path):
    watcher = Watcher()
    run_federation(tmp_path, PLAN, small_grid(), watcher)
    spent = [person_epsilon(PERSON_PRIVACY, Adversary.RECIPIENTS, rounds) for rounds in (1, 2, 3)]
    assert [report.epsilon for report in watcher.published] == spent


@pytest.mark.parametrize("simulated", [None, SimulatedCounts(6, 4)])
def test_figures_that_stand_for_more_devices_say_so_in_every_report_and_charge(tmp_path, simulated):
    watcher = Watcher()
    run_federation(tmp_path, replace(PLAN, simulated=simulated), small_grid(), watcher)
    marks = [report.simulated for report in watcher.published]
    marks += [charge["simulated"] for charge in read_spending(tmp_path / "ledger.jsonl")]
    assert marks == [simulated is not None] * 6


def test_the_charge_is_on_the_disk_before_any_device_is_asked(tmp_path):
    seen = []

    def look(_reply):
        seen.append(charged_rounds(tmp_path))

    run_federation(tmp_path, EVERYBODY, small_grid(spoiled_app(dict.fromkeys(range(1, DEVICES + 1), look))))
    assert seen == [[1]] * DEVICES + [[1, 2]] * DEVICES + [[1, 2, 3]] * DEVICES


def test_a_cohort_of_nobody_loses_nothing(tmp_path):
    watcher = Watcher()
    federation = run_federation(tmp_path, replace(PLAN, rounds=1, sampling_rate=1e-12), small_grid(), watcher)
    assert (watcher.published[0].asked, watcher.published[0].fates) == (0, {})
    assert same_arrays(federation.model_after(1), start_parameters())


def test_a_finished_run_that_is_started_again_runs_no_round(tmp_path):
    run_federation(tmp_path, PLAN, small_grid())
    watcher = Watcher()
    federation = run_federation(tmp_path, PLAN, small_grid(spoiled_app({1: fail_the_test})), watcher)
    assert [report.number for report in watcher.published] == [3]  # the last one, in case its publishing was cut off
    assert charged_rounds(tmp_path) == [1, 2, 3]
    assert federation.rounds_done() == 3


def fail_the_test(_reply):
    pytest.fail("a device was asked")


@pytest.mark.parametrize(
    "other",
    [
        replace(PLAN, task=replace(TASK, seed=8)),
        replace(PLAN, person_privacy=replace(PERSON_PRIVACY, noise_multiplier=2.0)),
        replace(PLAN, simulated=SimulatedCounts(6, 4)),
        UNPROTECTED,
    ],
    ids=["seed", "noise", "simulated", "unprotected"],
)
def test_a_folder_of_another_plan_is_refused_and_left_alone(tmp_path, other):
    run_federation(tmp_path, PLAN, small_grid())
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(CheckpointError, match="other settings"):
        run_federation(tmp_path, other, small_grid(spoiled_app({1: fail_the_test})))
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_folder_of_another_base_detector_is_refused(tmp_path):
    run_federation(tmp_path, PLAN, small_grid())
    start = start_parameters()
    next(iter(start.values())).flat[0] += 1
    with pytest.raises(CheckpointError, match="other settings"):
        Federation(PLAN, start, tmp_path, Watcher().surroundings()).run(small_grid())


def test_a_damaged_checkpoint_is_refused_and_the_one_before_goes_on_to_the_same_end(tmp_path):
    whole = run_federation(tmp_path / "whole", PLAN, small_grid())
    run_federation(tmp_path / "damaged", PLAN, small_grid())
    last = tmp_path / "damaged" / "round-0003.npz"
    last.write_bytes(last.read_bytes()[:100])
    with pytest.raises(CheckpointError, match="remove it to go on"):
        run_federation(tmp_path / "damaged", PLAN, small_grid())
    last.unlink()
    mended = run_federation(tmp_path / "damaged", PLAN, small_grid())
    assert same_arrays(mended.model_after(3), whole.model_after(3))
    assert charged_rounds(tmp_path / "damaged") == [1, 2, 3]


def kill_in_round(step: str, at_round: int, watcher: Watcher) -> Surroundings:
    """Return surroundings in which one step of one round kills the run."""
    surroundings = watcher.surroundings()
    calls = itertools.count(1)

    def dying(do: Callable) -> Callable:
        def step_or_die(*arguments):
            if next(calls) == at_round:
                raise Killed
            return do(*arguments)

        return step_or_die

    return replace(surroundings, **{step: dying(getattr(surroundings, step))})


def kill_on_device(round_number: int, device_calls: int):
    """Return a spoil that kills the whole process while a device of one round trains."""
    asked = Counter()

    def spoil(reply):
        asked[reply.metadata.group_id] += 1
        if reply.metadata.group_id == str(round_number) and asked[str(round_number)] == device_calls:
            raise Killed

    return dict.fromkeys(range(1, DEVICES + 1), spoil)


PLANS = {
    "person": PLAN,
    "both": replace(PLAN, task=replace(TASK, call_privacy=CALL_PRIVACY)),
    "call": replace(PLAN, person_privacy=None, task=replace(TASK, clip_norm=None, call_privacy=CALL_PRIVACY)),
}


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    """Runs that nothing interrupted, and what they published, by kind of privacy."""
    runs = {}
    for name, plan in PLANS.items():
        watcher = Watcher()
        runs[name] = (run_federation(tmp_path_factory.mktemp(name), plan, small_grid(), watcher), watcher.published)
    return runs


def require_equal_end(folder, plan, uninterrupted, published):
    """Go on with a killed run; its models, reports and bill must equal the uninterrupted run's."""
    federation, reports = uninterrupted
    watcher = Watcher()
    resumed = run_federation(folder, plan, small_grid(), watcher)
    for number in range(plan.rounds + 1):
        assert same_arrays(resumed.model_after(number), federation.model_after(number))
    seen = {report.number: report for report in [*published, *watcher.published]}
    assert list(seen.values()) == reports
    if plan.person_privacy is not None:
        assert charged_rounds(folder) == [1, 2, 3]


@pytest.mark.parametrize(
    ("privacy", "step", "at_round"),
    [
        *itertools.product(["person"], ["judge", "before_saving", "publish"], [1, 2, 3]),
        ("both", "judge", 2),
        ("call", "publish", 2),
    ],
)
def test_a_run_killed_in_a_step_of_a_round_ends_as_an_uninterrupted_one(
    tmp_path, uninterrupted, privacy, step, at_round
):
    plan, watcher = PLANS[privacy], Watcher()
    federation = Federation(plan, start_parameters(), tmp_path, kill_in_round(step, at_round, watcher))
    with pytest.raises(Killed):
        federation.run(small_grid())
    # Only a saved round may be published: what people saw must still be there after the kill.
    assert federation.rounds_done() == (at_round if step == "publish" else at_round - 1)
    if plan.person_privacy is not None:
        assert charged_rounds(tmp_path) == list(range(1, at_round + 1))
    require_equal_end(tmp_path, plan, uninterrupted[privacy], watcher.published)


@pytest.mark.parametrize(
    ("privacy", "at_round", "device_calls"), [("person", 1, 1), ("person", 2, 2), ("person", 3, 2), ("both", 2, 2)]
)
def test_a_run_killed_while_devices_train_ends_as_an_uninterrupted_one(
    tmp_path, uninterrupted, privacy, at_round, device_calls
):
    watcher = Watcher()
    killer = small_grid(spoiled_app(kill_on_device(at_round, device_calls)))
    with pytest.raises(Killed):
        run_federation(tmp_path, PLANS[privacy], killer, watcher)
    require_equal_end(tmp_path, PLANS[privacy], uninterrupted[privacy], watcher.published)


class DyingDisk:
    """Kills the run at one of its writes: at every sync and every renaming, before or after it is done."""

    def __init__(self, monkeypatch, dies_at: int | None, *, done_first: bool) -> None:
        self.steps = 0
        for name in ("fsync", "replace"):
            monkeypatch.setattr(os, name, self._wrap(getattr(os, name), dies_at, done_first))

    def _wrap(self, do: Callable, dies_at: int | None, done_first: bool) -> Callable:
        def step(*arguments):
            self.steps += 1
            if self.steps == dies_at and not done_first:
                raise Killed
            do(*arguments)
            if self.steps == dies_at:
                raise Killed

        return step


@pytest.mark.parametrize("done_first", [False, True], ids=["before", "after"])
def test_a_run_killed_at_any_write_ends_as_an_uninterrupted_one_and_never_owes_less(tmp_path, monkeypatch, done_first):
    with monkeypatch.context() as patch:
        disk = DyingDisk(patch, None, done_first=done_first)
        watcher = Watcher()
        whole = (run_federation(tmp_path / "whole", PLAN, small_grid(), watcher), watcher.published)
    assert disk.steps == 5 * PLAN.rounds  # ledger: line and folder; checkpoint: file, name and folder
    for dies_at in range(1, disk.steps + 1):
        folder, killed = tmp_path / str(dies_at), Watcher()
        with monkeypatch.context() as patch:
            DyingDisk(patch, dies_at, done_first=done_first)
            with pytest.raises(Killed):
                run_federation(folder, PLAN, small_grid(), killed)
        assert len(charged_rounds(folder)) >= len(killed.before_saving)
        require_equal_end(folder, PLAN, whole, killed.published)


def test_a_killed_round_with_fresh_noise_is_charged_again_and_the_plan_is_never_overspent(tmp_path):
    watcher = Watcher()
    federation = Federation(UNSEEDED, start_parameters(), tmp_path, kill_in_round("judge", 1, watcher))
    with pytest.raises(Killed):
        federation.run(small_grid())
    with pytest.raises(BudgetSpentError):
        run_federation(tmp_path, UNSEEDED, small_grid(), watcher)
    assert charged_rounds(tmp_path) == [1, 1, 2]
    assert [report.number for report in watcher.published] == [1, 2]
    assert watcher.published[-1].epsilon == person_epsilon(PERSON_PRIVACY, Adversary.RECIPIENTS, 3)


def test_a_run_whose_ledger_was_torn_by_a_kill_goes_on_to_the_same_end(tmp_path):
    watcher = Watcher()
    whole = (run_federation(tmp_path / "whole", PLAN, small_grid(), watcher), watcher.published)
    killed = Federation(PLAN, start_parameters(), tmp_path / "torn", kill_in_round("publish", 1, Watcher()))
    with pytest.raises(Killed):
        killed.run(small_grid())
    with (tmp_path / "torn" / "ledger.jsonl").open("ab") as ledger:
        ledger.write(b'{"rou')
    require_equal_end(tmp_path / "torn", PLAN, whole, [])


@pytest.mark.parametrize("charges_kept", [[], [0], [1], None])
def test_a_saved_round_whose_charge_is_lost_is_not_gone_on_with(tmp_path, charges_kept):
    run_federation(tmp_path, PLAN, small_grid())
    ledger, watcher = tmp_path / "ledger.jsonl", Watcher()
    (tmp_path / "round-0003.npz").unlink()
    lines = ledger.read_bytes().splitlines(keepends=True)
    ledger.unlink()
    if charges_kept is not None:
        ledger.write_bytes(b"".join(lines[place] for place in charges_kept))
    kept = charged_rounds(tmp_path)
    with pytest.raises(LedgerError, match="lacks charges of the 2 rounds saved here"):
        run_federation(tmp_path, PLAN, small_grid(), watcher)
    assert (charged_rounds(tmp_path), watcher.published) == (kept, [])


def test_a_lost_charge_of_a_round_that_was_tried_twice_is_missed_too(tmp_path):
    killed = Federation(UNSEEDED, start_parameters(), tmp_path, kill_in_round("judge", 1, Watcher()))
    with pytest.raises(Killed):
        killed.run(small_grid())
    with pytest.raises(BudgetSpentError):
        run_federation(tmp_path, UNSEEDED, small_grid())
    ledger = tmp_path / "ledger.jsonl"
    ledger.write_bytes(b"".join(ledger.read_bytes().splitlines(keepends=True)[1:]))
    assert charged_rounds(tmp_path) == [1, 2]
    with pytest.raises(LedgerError, match="lacks charges"):
        run_federation(tmp_path, UNSEEDED, small_grid())


def test_a_round_does_not_begin_before_a_quorum_of_devices_is_there(tmp_path):
    """Nothing is charged for waiting; patience is what the clock that was passed in says."""
    watcher, plan = Watcher(), replace(EVERYBODY, quorum=3, patience_seconds=5.0)
    with pytest.raises(QuorumError, match="2 devices are there, a round needs 3"):
        run_federation(tmp_path, plan, small_grid(devices=2), watcher)
    assert charged_rounds(tmp_path) == []
    run_federation(tmp_path, plan, small_grid(devices=3), watcher)
    assert charged_rounds(tmp_path) == [1, 2, 3]


def test_two_processes_can_not_run_one_folder(tmp_path):
    with locked_folder(tmp_path), pytest.raises(FolderInUseError, match="another process"):
        run_federation(tmp_path, PLAN, small_grid())
    run_federation(tmp_path, PLAN, small_grid())


TREES = replace(
    EVERYBODY,
    quorum=0,
    step=replace(PLAN.step, momentum=0.0),
    person_privacy=replace(EVERYBODY.person_privacy, mechanism=Mechanism.FTRL, tree_rounds=2),
)


@pytest.mark.parametrize("seed", [7, None])
def test_a_tree_puts_the_promised_noise_on_running_sums_and_starts_anew(tmp_path, seed):
    """Nobody replies. Over a cohort of 6: node noise 1/6; two rounds carry 2/3 of its variance; then a new tree."""
    silent = small_grid(is_lost=lambda _round, _device: True)
    federation = run_federation(tmp_path, replace(TREES, task=replace(TASK, seed=seed)), silent)
    start, *models = (flatten(federation.model_after(number)) for number in range(4))
    node = 1.0 / DEVICES
    assert is_gaussian_noise(models[0] - start, node)
    assert is_gaussian_noise(models[1] - start, node * (2 / 3) ** 0.5)
    assert is_gaussian_noise(models[2] - models[1], node)
    assert not is_gaussian_noise(models[1] - start, node * 2**0.5)  # what two fresh noises would add up to
    for wrong in (0.7, 1.3):
        assert not is_gaussian_noise(models[1] - start, wrong * node * (2 / 3) ** 0.5)


def test_a_round_below_the_quorum_leaves_its_place_in_the_tree_empty(tmp_path):
    """Persons' rounds are kept apart by number, so places have to be counted like rounds.

    Two participations 8 rounds apart move the nodes over rounds 1 to 15 by a square of 7 at most. Without places for
    rounds 2 to 8, rounds 1 and 9 would be neighbours among 8 places, and the square would be 2 + 4 + 4 + 4 = 14.
    """
    assert tree_sensitivity_squared(15, 2, 8) == 7
    lossy = small_grid(is_lost=lambda round_name, _device: round_name == "1")
    plan = replace(TREES, quorum=1, person_privacy=replace(TREES.person_privacy, tree_rounds=3))
    federation = run_federation(tmp_path / "lossy", plan, lossy)
    assert same_arrays(federation.model_after(1), start_parameters())
    assert load_checkpoint(tmp_path / "lossy", 1, federation._settings).tree_rounds == 1
    whole = run_federation(tmp_path / "again", plan, small_grid(is_lost=lambda round_name, _device: round_name == "1"))
    assert same_arrays(whole.model_after(3), federation.model_after(3))


def test_the_noise_after_an_empty_place_is_that_of_its_own_place():
    plan = replace(TREES, person_privacy=replace(TREES.person_privacy, tree_rounds=3))
    size = flatten(start_parameters()).size
    nothing = UpdateSum(size, 1.0)
    whole, skipping = ServerNoise(plan, size), ServerNoise(plan, size)
    for noise in (whole, skipping):
        noise.prepare(1, 0)
    whole.mean_of(nothing, 1)
    assert skipping.skip()
    assert np.array_equal(skipping.mean_of(nothing, 2), whole.mean_of(nothing, 2))
    assert not ServerNoise(PLAN, size).skip()


def test_the_ledger_of_a_tree_prices_what_its_nodes_show(tmp_path):
    watcher = Watcher()
    run_federation(tmp_path, TREES, small_grid(), watcher)
    spent = [person_epsilon(TREES.person_privacy, Adversary.SERVER, rounds) for rounds in (1, 2, 3)]
    assert [report.epsilon for report in watcher.published] == spent


def test_phones_that_come_by_themselves_are_asked_no_more_often_and_no_sooner_than_agreed(tmp_path):
    """6 devices, cohorts of 2, 3 rounds, at least 2 apart: in each round others are asked."""
    privacy = replace(TREES.person_privacy, cohort=2, participations=2, separation=3)
    asked = []

    def note(reply):
        asked.append((reply.metadata.group_id, reply.metadata.src_node_id))

    grid = small_grid(spoiled_app(dict.fromkeys(range(1, DEVICES + 1), note)))
    run_federation(tmp_path, replace(TREES, quorum=1, person_privacy=privacy), grid)
    assert len(asked) == len({node for _, node in asked}) == DEVICES


def test_an_adaptive_clip_follows_the_updates_round_by_round_and_stays_within_its_limits(tmp_path):
    """Clip 4, updates all shorter: the share is near 1, so the norm falls by about exp(-.2 * .5) a round."""
    adaptive = AdaptiveClipping(quantile=0.5, learning_rate=0.2, bit_noise=1.0, smallest=0.1, largest=4.0)
    privacy = replace(EVERYBODY.person_privacy, clip_norm=4.0, noise_multiplier=0.5, adaptive=adaptive)
    watcher, plan = Watcher(), replace(EVERYBODY, person_privacy=privacy, task=replace(TASK, clip_norm=4.0))
    run_federation(tmp_path, plan, small_grid(), watcher)
    norms = [report.clip_norm for report in watcher.published]
    assert norms[0] == 4.0
    assert all(later < earlier for earlier, later in itertools.pairwise(norms))


def test_a_report_counts_nothing_twice(tmp_path):
    watcher = Watcher()
    run_federation(tmp_path, EVERYBODY, small_grid(), watcher)
    assert [report.fates for report in watcher.published] == [{ReplyFate.FOLDED: DEVICES}] * 3
    assert watcher.published[0].acceptance_loss == judge_of_round_one(tmp_path)


def judge_of_round_one(folder) -> float:
    federation = Federation(EVERYBODY, start_parameters(), folder, Watcher().surroundings())
    return judge(federation.model_after(1)).loss


def test_no_round_begins_while_the_operator_pauses_and_one_that_runs_ends(tmp_path):
    """The pause is asked about between rounds, and waiting for its end costs nothing."""
    watcher, looks = Watcher(), []

    def paused() -> bool:
        looks.append(len(watcher.published))
        return looks.count(1) in (1, 2, 3)

    surroundings = replace(watcher.surroundings(), paused=paused)
    Federation(replace(PLAN, rounds=2), start_parameters(), tmp_path, surroundings).run(small_grid())
    assert looks == [0, 1, 1, 1, 1]
    assert [report.number for report in watcher.published] == [1, 2]
