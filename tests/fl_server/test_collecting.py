"""Taking in replies: every fate has its reason, and none stops the round."""

from __future__ import annotations

import io
import tracemalloc
from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from hypothesis import given, settings
from hypothesis import strategies as st

from fl_client.app import build_client_app
from fl_client.guard import simulation_guard
from fl_client.ledger import IN_MEMORY, LedgerStore, Training
from fl_server.aggregation import UpdateSum
from fl_server.collecting import Replies, Waiting, fold_replies
from models.domain.messages import UPDATE, VECTOR
from models.domain.round import ReplyFate
from models.privacy.vectors import unflatten
from simulations.grid import InProcessGrid
from tests.small_federation import (
    DEVICES,
    EVERYBODY,
    PARAMETERS,
    TASK,
    TestClock,
    Watcher,
    calls_but_of,
    calls_of,
    fates_of_one_round,
    run_federation,
    same_arrays,
    small_grid,
    spoiled_app,
    start_parameters,
)


def with_arrays(change):
    """Return a spoil that puts other arrays in the place of the update."""

    def spoil(reply: Message) -> None:
        arrays = {name: array.numpy().copy() for name, array in reply.content.array_records[UPDATE].items()}
        reply.content[UPDATE] = ArrayRecord({name: Array(array) for name, array in change(arrays).items()})

    return spoil


def with_first_value(value: float):
    def change(arrays):
        next(iter(arrays.values())).flat[0] = value
        return arrays

    return with_arrays(change)


def with_bytes(crafted: bytes):
    """Return a spoil that keeps the update's names and claimed shapes but not its bytes."""

    def spoil(reply: Message) -> None:
        for array in reply.content.array_records[UPDATE].values():
            array.data = crafted

    return spoil


def zip_bytes() -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, model=np.zeros(3, np.float32))
    return buffer.getvalue()


def huge_header() -> bytes:
    """A NumPy file that claims 2**62 numbers and holds none."""
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904,), }\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header


def with_more_bytes(reply: Message) -> None:
    next(iter(reply.content.array_records[UPDATE].values())).data += bytes(10_000)


def with_half_of_its_bytes(reply: Message) -> None:
    for array in reply.content.array_records[UPDATE].values():
        array.data = array.data[: len(array.data) // 2]


def of_another_round(reply: Message) -> None:
    reply.metadata.__dict__["_group_id"] = "99"


def without_update(reply: Message) -> None:
    del reply.content[UPDATE]


def update_of_another_kind(reply: Message) -> None:
    del reply.content[UPDATE]
    reply.content[UPDATE] = MetricRecord({"norm": 1.0})


def raise_on_the_device(_reply: Message) -> None:
    raise RuntimeError("a device's own trouble")


def double_everything(arrays):
    return {name: array.astype(np.float64) for name, array in arrays.items()}


def as_objects(arrays):
    """The header says objects: NumPy would have to unpickle them, which runs code."""
    return {name: array.view(np.int32).astype("V4") for name, array in arrays.items()}


def layer_by_layer(arrays):
    """All the numbers that were asked for, in the arrays of the model."""
    return unflatten(arrays[VECTOR], start_parameters())


def with_numbers(change):
    """Return a spoil that sends other numbers than the update's under its name."""
    return with_arrays(lambda arrays: {VECTOR: change(arrays[VECTOR])})


SPOILS = {
    "NaN": (with_first_value(np.nan), ReplyFate.NOT_FINITE),
    "infinity": (with_first_value(np.inf), ReplyFate.NOT_FINITE),
    "above the norm": (with_first_value(5.0), ReplyFate.TOO_LARGE),
    "a matrix": (with_numbers(lambda vector: vector.reshape(1, -1)), ReplyFate.WRONG_SHAPE),
    "a number missing": (with_numbers(lambda vector: vector[:-1]), ReplyFate.WRONG_SHAPE),
    "a number too many": (with_numbers(lambda vector: np.append(vector, vector[:1])), ReplyFate.WRONG_SHAPE),
    "another name": (with_arrays(lambda arrays: {"other": arrays[VECTOR]}), ReplyFate.WRONG_KEYS),
    "a name too many": (with_arrays(lambda arrays: arrays | {"more": np.zeros(1, np.float32)}), ReplyFate.WRONG_KEYS),
    "the model's names": (with_arrays(layer_by_layer), ReplyFate.WRONG_KEYS),
    "another byte order": (with_numbers(lambda vector: vector.astype(">f4")), ReplyFate.WRONG_TYPE),
    "another type": (with_arrays(double_everything), ReplyFate.WRONG_TYPE),
    "nothing at all": (with_arrays(lambda arrays: {}), ReplyFate.WRONG_KEYS),
    "rubbish bytes": (with_bytes(b"rubbish"), ReplyFate.WRONG_SHAPE),
    "no bytes": (with_bytes(b""), ReplyFate.WRONG_SHAPE),
    "a broken archive": (with_bytes(b"PK\x03\x04 no archive"), ReplyFate.WRONG_SHAPE),
    "an archive": (with_bytes(zip_bytes()), ReplyFate.WRONG_SHAPE),
    "a header that lies": (with_bytes(huge_header()), ReplyFate.WRONG_SHAPE),
    "more bytes than the model": (with_more_bytes, ReplyFate.TOO_LARGE),
    "another round": (of_another_round, ReplyFate.WRONG_ROUND),
    "numbers cut off": (with_half_of_its_bytes, ReplyFate.WRONG_SHAPE),
    "pickled objects": (with_arrays(as_objects), ReplyFate.WRONG_TYPE),
    "no update": (without_update, ReplyFate.WRONG_KEYS),
    "an update of another kind": (update_of_another_kind, ReplyFate.WRONG_KEYS),
    "an error": (raise_on_the_device, ReplyFate.FAILED),
}


@pytest.mark.parametrize(("spoil", "fate"), SPOILS.values(), ids=SPOILS)
def test_a_bad_reply_is_counted_by_its_reason_and_the_others_are_folded(tmp_path, spoil, fate):
    grid = small_grid(spoiled_app({3: spoil}))
    assert fates_of_one_round(tmp_path, EVERYBODY, grid) == {ReplyFate.FOLDED: DEVICES - 1, fate: 1}


def test_devices_that_refuse_are_told_apart_from_one_that_fails(tmp_path):
    store = LedgerStore(IN_MEMORY, at_once=False)
    for device in (0, 1):
        store.ledger_of(device).charge(Training(0, 0, 0, None), [])
    app = build_client_app(calls_but_of(2), simulation_guard(store))
    plan = replace(EVERYBODY, person_privacy=replace(EVERYBODY.person_privacy, participations=1))
    fates = fates_of_one_round(tmp_path, plan, small_grid(app))
    assert fates == {ReplyFate.FOLDED: DEVICES - 3, ReplyFate.REFUSED: 2, ReplyFate.FAILED: 1}


@settings(max_examples=40, deadline=None)
@given(
    data=st.binary(max_size=200) | st.sampled_from([huge_header(), zip_bytes(), b"\x93NUMPY\x03\x00" + bytes(9)]),
    name=st.sampled_from([VECTOR, "x"]),
    record=st.sampled_from([UPDATE, "x"]),
    dtype=st.text(max_size=8),
    shape=st.lists(st.integers(0, 2**31 - 1), max_size=3),
)
def test_whatever_one_device_sends_the_others_are_folded(data, name, record, dtype, shape):
    def say(reply: Message) -> None:
        reply.content = RecordDict({record: ArrayRecord({name: Array(dtype, tuple(shape), "numpy.ndarray", data)})})

    total, nodes = UpdateSum(PARAMETERS, 1.0), range(1, DEVICES + 1)
    grid, clock = small_grid(spoiled_app({2: say})), TestClock().clock()
    replies = Replies(grid, nodes, start_parameters(), TASK, Waiting(10.0), clock)
    fates = fold_replies(replies, DEVICES, total, PARAMETERS, TASK.round_number)
    assert fates[ReplyFate.FOLDED] == DEVICES - 1 == total.folded
    assert sum(fates.values()) == DEVICES


def test_a_model_is_the_same_whether_bad_devices_reply_or_drop_out(tmp_path):
    """Folding leaves no trace of a refused update: all kinds of them at once equal as many silent devices."""
    plan = replace(EVERYBODY, rounds=1)
    bad = {node: spoil for node, (spoil, _fate) in enumerate(SPOILS.values(), start=3)}
    devices = 2 + len(bad)
    spoiled = run_federation(tmp_path / "bad", plan, small_grid(spoiled_app(bad), devices))
    lost = small_grid(None, devices, is_lost=lambda _round, device: device >= 2)
    silent = run_federation(tmp_path / "lost", plan, lost)
    assert same_arrays(spoiled.model_after(1), silent.model_after(1))


def test_devices_that_drop_out_are_counted_as_no_reply(tmp_path):
    grid = small_grid(is_lost=lambda round_name, device: device in (1, 4))
    assert fates_of_one_round(tmp_path, EVERYBODY, grid) == {ReplyFate.FOLDED: DEVICES - 2, ReplyFate.NO_REPLY: 2}


class SlowGrid(InProcessGrid):
    """A grid whose silent nodes' replies come only when they are let out."""

    silent: frozenset[int] = frozenset(range(1, DEVICES + 1))
    _nodes: dict[str, int]

    def pull_messages(self, message_ids: Iterable[str]) -> list[Message]:
        """Return the replies of nodes that are not silent."""
        return super().pull_messages([i for i in message_ids if self._nodes[i] not in self.silent])

    def push_messages(self, messages: Iterable[Message]) -> Iterator[str]:
        """Remember whom a message is for."""
        for message in messages:
            (message_id,) = super().push_messages([message])
            self._nodes[message_id] = message.metadata.dst_node_id
            yield message_id


def slow_grid(silent: Iterable[int]) -> SlowGrid:
    grid = SlowGrid(build_client_app(calls_of, simulation_guard()), DEVICES)
    grid.silent, grid._nodes = frozenset(silent), {}
    return grid


def collect(grid, deadline_seconds: float = 10.0, patience_seconds: float = 0.0, quorum: int = 0, time=None):
    """Ask everybody once; return the fates, the sum and how long it took by the clock that was passed in."""
    time, total, model = time or TestClock(), UpdateSum(PARAMETERS, TASK.clip_norm), start_parameters()
    waiting = Waiting(deadline_seconds, patience_seconds, lambda: total.folded < quorum)
    replies = Replies(grid, grid.get_node_ids(), model, TASK, waiting, time.clock())
    fates = fold_replies(replies, DEVICES, total, PARAMETERS, TASK.round_number)
    assert replies.sent_again == getattr(grid, "echoed", 0)
    return fates, total, time.time


def test_a_round_waits_for_silent_devices_until_its_deadline_and_no_longer():
    fates, total, seconds = collect(slow_grid({1, 2}), deadline_seconds=10.0)
    assert fates == {ReplyFate.FOLDED: DEVICES - 2, ReplyFate.NO_REPLY: 2}
    assert total.folded == DEVICES - 2
    assert 10.0 <= seconds < 10.5


@pytest.mark.parametrize(("quorum", "waited"), [(DEVICES - 2, 10.0), (DEVICES - 1, 15.0)])
def test_patience_waits_longer_only_while_the_quorum_is_not_there(quorum, waited):
    _, total, seconds = collect(slow_grid({1, 2}), 10.0, patience_seconds=5.0, quorum=quorum)
    assert total.folded == DEVICES - 2
    assert waited <= seconds < waited + 0.5


class TimeTakingGrid(InProcessGrid):
    """A grid whose devices train for a second each; it notes how long each message may live."""

    def __init__(self, time: TestClock, devices: int) -> None:
        super().__init__(build_client_app(calls_of, simulation_guard()), devices)
        self.time, self.ttls = time, []

    def push_messages(self, messages: Iterable[Message]) -> Iterator[str]:
        """Let a second pass with each message."""
        for message in messages:
            self.time.time += 1.0
            self.ttls.append(message.metadata.ttl)
            yield from super().push_messages([message])


def test_the_deadline_holds_while_messages_are_still_being_sent():
    """Sixteen are sent at once, a second each: after 20 of 40 s of devices, nobody else is asked."""
    time = TestClock()
    grid, model = TimeTakingGrid(time, 40), start_parameters()
    total = UpdateSum(PARAMETERS, TASK.clip_norm)
    replies = Replies(grid, grid.get_node_ids(), model, TASK, Waiting(20.0), time.clock())
    fates = fold_replies(replies, 40, total, PARAMETERS, TASK.round_number)
    assert fates == {ReplyFate.FOLDED: 32, ReplyFate.NO_REPLY: 8}


def test_a_message_lives_as_long_as_its_round_waits():
    time = TestClock()
    grid, model = TimeTakingGrid(time, 20), start_parameters()
    waiting = Waiting(30.0, 5.0, lambda: False)
    replies = Replies(grid, grid.get_node_ids(), model, TASK, waiting, time.clock())
    fold_replies(replies, 20, UpdateSum(PARAMETERS, TASK.clip_norm), PARAMETERS, TASK.round_number)
    assert grid.ttls == [35.0] * 16 + [19.0] * 4


def test_the_updates_of_a_large_cohort_are_never_in_memory_together():
    """Folded as they come: at most one batch of replies lives at a time, whatever the cohort."""

    def peak(devices: int) -> int:
        grid, model = InProcessGrid(echo_update(), devices), start_parameters()
        replies = Replies(grid, grid.get_node_ids(), model, TASK, Waiting(10.0), TestClock().clock())
        tracemalloc.start()
        fold_replies(replies, devices, UpdateSum(PARAMETERS, TASK.clip_norm), PARAMETERS, TASK.round_number)
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    assert peak(400) - peak(40) < 36 * 4 * PARAMETERS  # 360 more updates would take 360 times as much


def echo_update() -> ClientApp:
    """Return devices that answer at once with an update of zeros."""
    app = ClientApp()

    @app.train()
    def train(message: Message, _context: Context) -> Message:
        zeros = Array(np.zeros(PARAMETERS, np.float32))
        return Message(RecordDict({UPDATE: ArrayRecord({VECTOR: zeros})}), reply_to=message)

    return app


def test_a_round_in_which_everybody_replies_waits_for_nothing():
    fates, _, seconds = collect(slow_grid({}))
    assert fates == {ReplyFate.FOLDED: DEVICES}
    assert seconds == 0


def test_a_reply_after_the_deadline_is_never_folded_into_a_later_round():
    grid = slow_grid({1, 2})
    collect(grid)
    grid.silent = frozenset()
    fates, total, _ = collect(grid)
    assert fates == {ReplyFate.FOLDED: DEVICES}
    assert total.folded == DEVICES


class EchoingGrid(InProcessGrid):
    """A grid that gives every reply out twice, and one that nobody asked for."""

    echoed = 0

    def pull_messages(self, message_ids: Iterable[str]) -> list[Message]:
        """Return each reply twice."""
        replies = super().pull_messages(message_ids)
        self.echoed += len(replies)
        strangers = [Message(RecordDict(), reply_to=reply) for reply in replies[:1]]
        for stranger in strangers:
            stranger.metadata.__dict__["_reply_to_message_id"] = "message-of-another-round"
        return [*strangers, *replies, *replies]


def test_a_reply_sent_twice_or_to_another_message_is_folded_once_or_not_at_all():
    fates, total, _ = collect(EchoingGrid(build_client_app(calls_of, simulation_guard()), DEVICES))
    assert fates == {ReplyFate.FOLDED: DEVICES}
    assert total.folded == DEVICES


class SuperLinkLikeGrid(InProcessGrid):
    """A grid that signs failed nodes' replies with node 1, as Flower's SuperLink does."""

    def pull_messages(self, message_ids: Iterable[str]) -> list[Message]:
        """Return the replies; errors name node 1 as their sender."""
        replies = super().pull_messages(message_ids)
        for reply in replies:
            if reply.has_error():
                reply.metadata.__dict__["_src_node_id"] = 1
        return replies


def test_failed_nodes_are_told_apart_by_what_they_answer():
    app = spoiled_app({4: raise_on_the_device})
    grid = SuperLinkLikeGrid(app, DEVICES, is_lost=lambda _round, device: device in (1, 2))
    fates, _, seconds = collect(grid)
    assert fates == {ReplyFate.FOLDED: DEVICES - 3, ReplyFate.NO_REPLY: 2, ReplyFate.FAILED: 1}
    assert seconds == 0  # nobody is waited for who is known to have failed


def test_an_empty_cohort_has_no_fates():
    model = start_parameters()
    replies = Replies(small_grid(), [], model, TASK, Waiting(10.0), TestClock().clock())
    assert fold_replies(replies, 0, UpdateSum(PARAMETERS, 1.0), PARAMETERS, 1) == {}


def test_fates_add_up_to_the_devices_that_were_asked(tmp_path):
    watcher = Watcher()
    grid = small_grid(spoiled_app({2: with_first_value(np.nan)}), is_lost=lambda _round, device: device == 0)
    run_federation(tmp_path, EVERYBODY, grid, watcher)
    assert [sum(report.fates.values()) for report in watcher.published] == [
        report.asked for report in watcher.published
    ]
