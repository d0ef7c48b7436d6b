"""The round loop under secure aggregation: charged, redone with fresh keys after a kill, and told where aborted."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fl_server.federation import Federation
from models.domain.messages import SecureStage
from models.domain.round import ReplyFate
from models.errors import UsageError
from tests.fl_server.killed_rounds import LOST, die_in_stage
from tests.fl_server.test_secure_collecting import wrong_shares
from tests.killing import KILLED, exit_code_of
from tests.secure_federation import SecureWatcher, lose, secure_app, secure_grid, secure_plan
from tests.small_federation import DEVICES, Watcher, run_federation, same_arrays, start_parameters

pytestmark = pytest.mark.usefixtures("one_thread")

PLAN = secure_plan()


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    watcher = SecureWatcher()
    federation = run_federation(tmp_path_factory.mktemp("whole"), PLAN, secure_grid(is_lost=LOST), watcher)
    return federation, watcher.published


def test_a_secure_run_reports_its_rounds(uninterrupted):
    federation, reports = uninterrupted
    assert [report.fates for report in reports] == [{ReplyFate.FOLDED: DEVICES - 1, ReplyFate.NO_REPLY: 1}] * 3
    assert all(report.aborted is None and report.clipped_share is not None for report in reports)
    assert reports[0].epsilon < reports[1].epsilon < reports[2].epsilon
    assert not same_arrays(federation.model_after(3), start_parameters())


@pytest.mark.parametrize("stage", SecureStage)
def test_a_run_killed_in_any_stage_ends_as_an_uninterrupted_one_although_all_keys_are_fresh(
    tmp_path, uninterrupted, stage
):
    assert exit_code_of(die_in_stage, tmp_path, PLAN, stage) == KILLED
    watcher = SecureWatcher()
    resumed = run_federation(tmp_path, PLAN, secure_grid(is_lost=LOST), watcher)
    for number in range(4):
        assert same_arrays(resumed.model_after(number), uninterrupted[0].model_after(number))
    assert watcher.published == uninterrupted[1]
    assert len((tmp_path / "ledger.jsonl").read_bytes().splitlines()) == 3


def test_an_aborted_round_is_charged_changes_nothing_and_says_why(tmp_path):
    watcher = SecureWatcher()
    grid = secure_grid(is_lost=lose(dict.fromkeys(range(4), SecureStage.UNMASK)))
    federation = run_federation(tmp_path, PLAN, grid, watcher)
    assert same_arrays(federation.model_after(3), start_parameters())
    assert {report.aborted for report in watcher.published} == {"too few devices gave shares"}
    assert len((tmp_path / "ledger.jsonl").read_bytes().splitlines()) == 3


def test_a_device_that_gives_wrong_shares_no_longer_ends_rounds_and_is_told_of_in_their_reports(tmp_path):
    watcher = SecureWatcher()
    grid = secure_grid(secure_app({(3, SecureStage.UNMASK): wrong_shares}))
    federation = run_federation(tmp_path, PLAN, grid, watcher)
    assert [(report.wrong_shares, report.aborted) for report in watcher.published] == [(1, None)] * 3
    assert not same_arrays(federation.model_after(3), start_parameters())


def test_reports_of_secure_rounds_come_back_from_their_checkpoints(tmp_path):
    run_federation(tmp_path, PLAN, secure_grid(), SecureWatcher())
    watcher = SecureWatcher()
    again = Federation(PLAN, start_parameters(), tmp_path, watcher.surroundings())
    again.run(secure_grid())
    assert watcher.published[0].number == 3
    assert watcher.published[0].clipped_share is not None


def test_secure_rounds_without_an_authority_are_refused(tmp_path):
    with pytest.raises(UsageError, match="certifies devices"):
        Federation(PLAN, start_parameters(), tmp_path, Watcher().surroundings())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"quorum": 4}, "divide the noise by 3"),
        ({"task": replace(PLAN.task, secure=None)}, "where devices add it"),
        ({"person_privacy": replace(PLAN.person_privacy, distributed=None)}, "where devices add it"),
    ],
)
def test_a_plan_whose_noise_is_another_than_the_accountants_is_refused(change, said):
    with pytest.raises(UsageError, match=said):
        replace(PLAN, **change)
