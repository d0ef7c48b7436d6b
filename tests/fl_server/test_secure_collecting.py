"""Secure rounds over a grid: the sum of what devices learned, whoever is lost and whatever is sent back."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord, ConfigRecord, Message, RecordDict
from hypothesis import given, settings
from hypothesis import strategies as st

from fl_client.guard import simulation_guard
from fl_client.ledger import IN_MEMORY, LedgerStore, Training
from fl_client.secure_training import build_secure_client_app
from fl_client.training import train_on_device
from fl_server import collecting, secure_collecting
from fl_server.collecting import Clock
from fl_server.secure_collecting import SecureCollector, SecureSettings, SecureTotal
from models.domain.messages import SECURE, UPDATE, SecureStage
from models.domain.round import ReplyFate
from models.domain.secure_aggregation import ThreatModel
from models.privacy.clipping import clip_update
from models.privacy.secure_vector import VectorCode
from tests.fl_server.test_collecting import huge_header
from tests.secure_federation import ENROLMENT, QUORUM, lose, secure_app, secure_grid, secure_plan
from tests.small_federation import DEVICES, PARAMETERS, TestClock, calls_but_of, calls_of, start_parameters

QUIET = secure_plan(noise=1e-4)
"""So little noise that the sum shows."""

NODES = list(range(1, DEVICES + 1))
LENGTH = VectorCode(PARAMETERS, 1.0, QUIET.task.secure, b"").length


def collect(grid, plan=QUIET, cohort=NODES, clock: Clock | None = None) -> tuple[SecureTotal, dict[ReplyFate, int]]:
    settings = SecureSettings(ENROLMENT.authority, 10.0, clock or TestClock().clock())
    return SecureCollector(grid, start_parameters(), plan.task_of(1, 1.0), settings).collect(cohort)


def learned_by(devices) -> np.ndarray:
    """Return the sum of devices' clipped updates, computed in the open."""
    task = replace(QUIET.task_of(1, 1.0), clip_norm=None, secure=None)
    code = VectorCode(1, QUIET.task.clip_norm, QUIET.task.secure, b"")
    updates = [
        train_on_device(start_parameters(), calls_of(device), task, device).update.astype(float) for device in devices
    ]
    return sum((clip_update(update, code.update_norm) for update in updates), np.zeros(PARAMETERS))


def is_sum_of(total: SecureTotal, devices) -> bool:
    """Say whether a sum is that of these devices, but for the little noise of the whole cohort."""
    expected, spread = learned_by(devices), 1e-4 * (DEVICES / QUORUM) ** 0.5
    return total.update is not None and bool(np.abs(total.update - expected).max() < 7 * spread)


@pytest.mark.parametrize("threat_model", list(ThreatModel))
def test_the_server_gets_the_sum_of_the_clipped_updates(threat_model):
    total, fates = collect(secure_grid(), secure_plan(threat_model, noise=1e-4))
    assert is_sum_of(total, range(DEVICES))
    assert not is_sum_of(total, range(DEVICES - 1))
    assert (total.folded, total.aborted, fates) == (DEVICES, None, {ReplyFate.FOLDED: DEVICES})


def test_the_operator_learns_how_many_clipped_and_no_more():
    total, _ = collect(secure_grid())
    task = replace(QUIET.task_of(1, 1.0), clip_norm=None, secure=None)
    norms = [train_on_device(start_parameters(), calls_of(device), task, device).norm for device in range(DEVICES)]
    clipped = np.mean(np.array(norms) > VectorCode(1, 1.0, QUIET.task.secure, b"").update_norm)
    assert total.clipped_share == pytest.approx(clipped, abs=0.01)


@pytest.mark.parametrize("stage", SecureStage)
def test_a_device_lost_at_any_stage_is_in_the_sum_if_its_vector_came(stage):
    total, fates = collect(secure_grid(is_lost=lose({4: stage})), secure_plan(ThreatModel.HONEST_BUT_CURIOUS, 1e-4))
    came = stage in (SecureStage.SURVIVORS, SecureStage.UNMASK)
    assert is_sum_of(total, [device for device in range(DEVICES) if came or device != 4])
    assert fates.get(ReplyFate.NO_REPLY, 0) == (0 if came else 1)
    assert sum(fates.values()) == DEVICES


def test_devices_lost_at_different_stages_leave_the_exact_sum_of_the_others():
    lost = {1: SecureStage.KEYS, 4: SecureStage.MASKED}
    total, fates = collect(secure_grid(is_lost=lose(lost)))
    assert is_sum_of(total, [0, 2, 3, 5])
    assert fates == {ReplyFate.FOLDED: 4, ReplyFate.NO_REPLY: 2}


@pytest.mark.parametrize("stage", SecureStage)
def test_below_the_quorum_the_round_ends_without_a_sum(stage):
    total, fates = collect(secure_grid(is_lost=lose(dict.fromkeys(range(4), stage))))
    assert total.update is None
    assert total.clipped_share is None
    assert total.aborted
    assert sum(fates.values()) == DEVICES


def test_a_cohort_larger_than_agreed_is_not_even_asked():
    asked = []
    grid = secure_grid(is_lost=lambda group, device: asked.append(group) or False)
    total, fates = collect(grid, cohort=[*NODES, 7, 8])
    assert "more than agreed" in str(total.aborted)
    assert asked == []
    assert fates == {ReplyFate.NO_REPLY: 8}


def failing(_reply: Message) -> Message:
    raise ValueError("a fault")


def saying(content: RecordDict) -> Callable[[Message], None]:
    """Return a spoil that says something else in an honest reply's place."""

    def spoil(reply: Message) -> None:
        reply.content.clear()
        reply.content.update(content)

    return spoil


def no_array(reply: Message) -> None:
    for array in reply.content.array_records.get(UPDATE, {}).values():
        array.data = b"no array"


def another_round(reply: Message) -> None:
    reply.metadata.__dict__["_group_id"] = "0/query.keys"


def vector(array: np.ndarray) -> Callable[[Message], None]:
    return saying(RecordDict({UPDATE: ArrayRecord({"masked": Array(array)})}))


SPOILS = {
    "fails": failing,
    "is of another round": another_round,
    "says nothing": saying(RecordDict()),
    "says other things": saying(RecordDict({SECURE: ConfigRecord({"places": [1, 1], "boxes": [b"x", b"x"]})})),
    "sends another vector": vector(np.zeros(7, np.uint32)),
    "sends signed words": vector(np.zeros(LENGTH, np.int32)),
    "sends a vector of vectors": vector(np.zeros((1, LENGTH), np.uint32)),
    "sends far too much": vector(np.zeros(2**23, np.uint32)),
    "sends no array": no_array,
}

REASONS = {
    "is of another round": ReplyFate.WRONG_ROUND,
    "says nothing": ReplyFate.WRONG_KEYS,
    "says other things": ReplyFate.WRONG_KEYS,
    "sends another vector": ReplyFate.WRONG_SHAPE,
    "sends signed words": ReplyFate.WRONG_TYPE,
    "sends a vector of vectors": ReplyFate.WRONG_SHAPE,
    "sends far too much": ReplyFate.TOO_LARGE,
    "sends no array": ReplyFate.WRONG_SHAPE,
}
"""Of what comes in a masked vector's place; whatever is wrong with another stage's reply has failed."""


@pytest.mark.parametrize(
    ("how", "stage"),
    [
        *itertools.product(("fails", "says nothing", "says other things", "sends another vector"), SecureStage),
        *((how, SecureStage.MASKED) for how in SPOILS),
        ("is of another round", SecureStage.SHARES),
    ],
)
def test_no_broken_reply_stops_a_round_and_each_is_counted_by_its_reason(how, stage):
    app = secure_app({(3, stage): SPOILS[how]})
    total, fates = collect(secure_grid(app), secure_plan(ThreatModel.HONEST_BUT_CURIOUS, 1e-4))
    came = stage in (SecureStage.SURVIVORS, SecureStage.UNMASK)
    assert is_sum_of(total, [device for device in range(DEVICES) if came or device != 2])
    by_reason = stage is SecureStage.MASKED or how == "is of another round"
    reason = REASONS.get(how, ReplyFate.FAILED) if by_reason else ReplyFate.FAILED
    assert fates == ({ReplyFate.FOLDED: DEVICES} if came else {ReplyFate.FOLDED: DEVICES - 1, reason: 1})


def wrong_shares(reply: Message) -> None:
    said = reply.content.config_records[SECURE]
    said["boxes"] = [share[:-1] + bytes([share[-1] ^ 1]) for share in said["boxes"]]


@pytest.mark.parametrize("threat_model", list(ThreatModel))
def test_a_device_that_gives_wrong_shares_is_counted_and_its_update_stays_in_the_sum(threat_model):
    grid = secure_grid(secure_app({(3, SecureStage.UNMASK): wrong_shares}))
    total, fates = collect(grid, secure_plan(threat_model, noise=1e-4))
    assert is_sum_of(total, range(DEVICES))
    assert (total.wrong_shares, total.aborted, fates) == (1, None, {ReplyFate.FOLDED: DEVICES})


def test_a_device_that_gives_wrong_shares_of_a_lost_ones_mask_key_is_counted_too():
    lost = lose({4: SecureStage.MASKED})
    grid = secure_grid(secure_app({(3, SecureStage.UNMASK): wrong_shares}), lost)
    total, _ = collect(grid, secure_plan(ThreatModel.HONEST_BUT_CURIOUS, noise=1e-4))
    assert is_sum_of(total, [0, 1, 2, 3, 5])
    assert total.wrong_shares == 1


def test_more_wrong_shares_than_can_be_done_without_end_the_round_with_their_number():
    liars = dict.fromkeys(((node, SecureStage.UNMASK) for node in NODES[:3]), wrong_shares)
    total, _ = collect(secure_grid(secure_app(liars)))
    assert total.update is None
    assert total.wrong_shares == 3
    assert total.aborted == "too few devices gave shares, 3 gave wrong ones"


def test_devices_that_refuse_are_told_apart_from_one_that_fails():
    store = LedgerStore(IN_MEMORY, at_once=False)
    store.ledger_of(0).charge(Training(0, 0, 0, None), [])
    app = build_secure_client_app(calls_but_of(2), simulation_guard(store), ENROLMENT.credentials_of)
    plan = replace(QUIET, person_privacy=replace(QUIET.person_privacy, participations=1))
    total, fates = collect(secure_grid(app), plan)
    assert is_sum_of(total, [1, 3, 4, 5])
    assert fates == {ReplyFate.FOLDED: DEVICES - 2, ReplyFate.REFUSED: 1, ReplyFate.FAILED: 1}


SAID = st.one_of(st.binary(max_size=80), st.lists(st.integers(-(2**63), 2**63 - 1)), st.lists(st.binary(max_size=80)))
ARRAYS = st.builds(
    lambda data, shape, dtype: Array(dtype, tuple(shape), "numpy.ndarray", data),
    st.binary(max_size=200) | st.just(huge_header()),
    st.lists(st.integers(0, 2**31 - 1), max_size=3),
    st.text(max_size=8),
)
ANYTHING = st.dictionaries(
    st.sampled_from([SECURE, UPDATE, "x"]),
    st.dictionaries(st.sampled_from(["places", "boxes", "commitment", "signature"]), SAID).map(ConfigRecord)
    | st.dictionaries(st.sampled_from(["masked", "x"]), ARRAYS).map(ArrayRecord),
)


@pytest.mark.parametrize("stage", SecureStage)
@settings(max_examples=8, deadline=None)
@given(content=ANYTHING)
def test_whatever_one_device_says_the_others_are_summed_or_the_round_ends(stage, content):
    total, fates = collect(secure_grid(secure_app({(3, stage): saying(RecordDict(content))})))
    assert sum(fates.values()) == DEVICES
    assert total.folded >= DEVICES - 1
    assert total.aborted or np.isfinite(total.update).all()


def test_the_vectors_of_a_cohort_are_never_in_memory_together(monkeypatch):
    """At most one batch of replies waits at a time; the negative control is a batch of everybody."""
    most = []
    for batch in (2, DEVICES):
        monkeypatch.setattr(secure_collecting, "MESSAGES_AT_ONCE", batch)
        grid, waiting = secure_grid(), [0]
        pull = grid.pull_messages

        def pull_counting(ids, grid=grid, waiting=waiting, pull=pull):
            waiting.append(len(grid._answers))
            return pull(ids)

        grid.pull_messages = pull_counting
        total, _ = collect(grid)
        assert is_sum_of(total, range(DEVICES))
        most.append(max(waiting))
    assert most == [2, DEVICES]


def test_replies_of_slow_devices_that_came_all_at_once_are_taken_in_batches(monkeypatch):
    """The first looks find nothing, as where devices are slower than the sending."""
    for module in (collecting, secure_collecting):
        monkeypatch.setattr(module, "MESSAGES_AT_ONCE", 2)
    grid, looks, taken = secure_grid(), itertools.count(), []
    pull = grid.pull_messages

    def pull_late(ids):
        replies = [] if next(looks) < DEVICES else pull(ids)
        taken.append(len(replies))
        return replies

    grid.pull_messages = pull_late
    total, _ = collect(grid)
    assert is_sum_of(total, range(DEVICES))
    assert max(taken) == 2


def test_a_stages_messages_live_as_long_as_it_waits():
    grid, lives = secure_grid(), []
    create = grid.create_message

    def note(content, message_type, dst_node_id, group_id, ttl=None):
        lives.append(ttl)
        return create(content, message_type, dst_node_id, group_id, ttl)

    grid.create_message = note
    collect(grid)
    assert lives == [10.0] * DEVICES * len(SecureStage)


def test_a_reply_sent_twice_is_counted_and_not_looked_at():
    grid = secure_grid()
    pull = grid.pull_messages

    def repeat(message_ids):
        replies = pull(message_ids)
        return [*replies, *(reply for reply in replies if reply.metadata.src_node_id == 3)]

    grid.pull_messages = repeat
    settings = SecureSettings(ENROLMENT.authority, 10.0, TestClock().clock())
    collector = SecureCollector(grid, start_parameters(), QUIET.task_of(1, 1.0), settings)
    total, fates = collector.collect(NODES)
    assert is_sum_of(total, range(DEVICES))
    assert (fates, collector.sent_again) == ({ReplyFate.FOLDED: DEVICES}, len(SecureStage))


def test_an_early_reply_is_taken_and_a_late_one_is_not():
    """A grid whose third device never answers: each stage waits for its deadline, and no longer."""
    clock = TestClock()
    grid = secure_grid()
    pull = grid.pull_messages

    def pull_but_one(message_ids):
        return [reply for reply in pull(message_ids) if reply.metadata.src_node_id != 3]

    grid.pull_messages = pull_but_one
    total, fates = collect(grid, clock=clock.clock())
    assert is_sum_of(total, [0, 1, 3, 4, 5])
    assert fates == {ReplyFate.FOLDED: 5, ReplyFate.NO_REPLY: 1}
    assert 10.0 <= clock.time < 11.0  # only the first stage waited: the device wasn't asked again


def test_every_sum_carries_the_noise_of_the_largest_cohort_however_many_were_lost():
    """So the released noise doesn't tell how many took part; the negative control is the sum before it is levelled."""
    plan = secure_plan(ThreatModel.HONEST_BUT_CURIOUS, noise=50.0)
    spread = 50.0 * (DEVICES / QUORUM) ** 0.5
    for lost in ({}, {1: SecureStage.KEYS, 4: SecureStage.MASKED}):
        total, _ = collect(secure_grid(is_lost=lose(lost)), plan)
        assert total.update is not None
        assert np.std(total.update) == pytest.approx(spread, rel=0.05)
    assert np.sqrt(4 / 6) < 0.95
