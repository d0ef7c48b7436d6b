"""The device's ClientApp: the update leaves, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord, ConfigRecord, Message, RecordDict
from flwr.common.constant import ErrorCode
from flwr.common.serde import message_to_proto

from fl_client import app as client_app
from fl_client.app import OWN_ROUND, arrays_of, build_client_app
from fl_client.guard import simulation_guard
from fl_client.ledger import IN_MEMORY, LedgerStore
from fl_client.training import LabelledWords
from models.domain.messages import METRICS, MODEL, REFUSED, TASK, UPDATE, VECTOR, task_to_values
from models.domain.training import CallSteps, LocalTask
from models.errors import BudgetSpentError, ConsentRefusedError, ProtocolRefusedError, TaskRefusedError
from simulations.grid import InProcessGrid
from tests.fl_client.conftest import refusal_in
from tests.secure_federation import secure_plan
from tests.small_federation import (
    BAD_MODELS,
    CALL_PRIVACY,
    PARAMETERS,
    empty_context,
    same_arrays,
    some_calls,
    start_parameters,
)
from tests.small_federation import TASK as SMALL_TASK

COUNTS = [0, 1, 20]
TASKS = {
    "person": SMALL_TASK,
    "both": replace(SMALL_TASK, call_privacy=CALL_PRIVACY),
    "none": replace(SMALL_TASK, clip_norm=None),
}


def ask(task: LocalTask, calls: int) -> tuple[Message, list[bytes]]:
    """Train on a device with so many calls; return its reply and every byte that crossed."""
    reply, heard, _ = ask_and_look(task, calls)
    return reply, heard


def ask_and_look(task: LocalTask, calls: int) -> tuple[Message, list[bytes], list[float]]:
    """Return besides what only a simulator may know: the norm of the update."""
    heard: list[bytes] = []
    grid = InProcessGrid(
        build_client_app(lambda _device: some_calls(calls), simulation_guard()), 1, wiretap=heard.append
    )
    model = ArrayRecord({name: Array(array) for name, array in start_parameters().items()})
    content = RecordDict({MODEL: model, TASK: ConfigRecord(dict(task_to_values(task)))})
    (reply,) = grid.send_and_receive([grid.create_message(content, "train", 1, "1")])
    assert len(grid.context_of(1).state) == 0
    return reply, heard, grid.take_norms()


def test_a_training_is_charged_before_it_runs(monkeypatch):
    store, charged = LedgerStore(IN_MEMORY, at_once=False), []
    honest = client_app.train_on_device

    def train(model, calls, task, device):
        charged.append(store.ledger_of(device).rounds(release=0))
        return honest(model, calls, task, device)

    monkeypatch.setattr(client_app, "train_on_device", train)
    grid = InProcessGrid(build_client_app(lambda _device: some_calls(3), simulation_guard(store)), 1)
    model = ArrayRecord({name: Array(array) for name, array in start_parameters().items()})
    content = RecordDict({MODEL: model, TASK: ConfigRecord(dict(task_to_values(SMALL_TASK)))})
    (reply,) = grid.send_and_receive([grid.create_message(content, "train", 1, "1")])
    assert not reply.has_error()
    assert charged == [[1]]


UNREADABLE = ArrayRecord({"weights": Array("float32", (4, 8), "numpy.ndarray", b"no array")})
BAD_CONTENTS = {
    **{
        name: {MODEL: ArrayRecord({name: Array(array) for name, array in model.items()})}
        for name, model in BAD_MODELS.items()
    },
    "unreadable": {MODEL: UNREADABLE},
    "missing": {},
    "no arrays": {MODEL: ConfigRecord({"a": 1})},
}


@pytest.mark.parametrize("change", [{}, {"release": -1}, {"learning-rate": 1e300}, {"round": 2**40}])
@pytest.mark.parametrize("content", BAD_CONTENTS.values(), ids=BAD_CONTENTS)
def test_what_a_device_refuses_costs_it_nothing(monkeypatch, content, change, log):
    monkeypatch.setattr(client_app, "train_on_device", None)
    store = LedgerStore(IN_MEMORY, at_once=False)
    grid = InProcessGrid(build_client_app(lambda _device: some_calls(3), simulation_guard(store)), 1)
    record = RecordDict({TASK: ConfigRecord(dict(task_to_values(SMALL_TASK) | change)), **content})
    (reply,) = grid.send_and_receive([grid.create_message(record, "train", 1, "1")])
    assert refusal_in(reply, log)
    assert store.ledger_of(0).rounds(release=0) == []


@pytest.mark.parametrize("calls", COUNTS)
@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_a_reply_carries_the_update_and_nothing_else(task, calls):
    reply, _ = ask(task, calls)
    assert not reply.has_error()
    assert sorted(reply.content) == sorted([UPDATE, METRICS])
    assert list(reply.content.array_records[UPDATE]) == [VECTOR]
    assert reply.content.array_records[UPDATE][VECTOR].shape == (PARAMETERS,)
    assert dict(reply.content.metric_records[METRICS]) == {"num-examples": 1}


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_a_reply_says_the_same_but_for_the_updates_numbers_whatever_the_device_holds(task):
    """Blank the update, and replies of devices with 0, 1 and 20 calls can't be told apart."""
    blanked = []
    for calls in COUNTS:
        reply, _ = ask(task, calls)
        for array in reply.content.array_records[UPDATE].values():
            array.data = bytes(len(array.data))
        proto = message_to_proto(reply)
        proto.metadata.created_at = proto.metadata.ttl = 0.0  # when it was sent: how long training took shows anyway
        blanked.append(proto.SerializeToString(deterministic=True))
    assert blanked[0] == blanked[1] == blanked[2]


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_the_bytes_of_a_reply_are_as_many_for_0_and_for_20_calls(task):
    lengths = {len(ask(task, calls)[1][-1]) for calls in COUNTS}
    assert len(lengths) == 1


def test_neither_words_nor_labels_nor_norm_cross_the_grid():
    _, heard, (norm,) = ask_and_look(SMALL_TASK, 3)
    for call in some_calls(3):
        assert all(call.embedded[0].tobytes() not in crossing for crossing in heard)
    assert all(
        np.array(norm, kind).tobytes() not in crossing for crossing in heard for kind in (np.float32, np.float64)
    )


def test_what_a_device_remembers_stays_in_its_own_state():
    context = empty_context()
    app = build_client_app(lambda _device: some_calls(3), simulation_guard())
    model = ArrayRecord({name: Array(array) for name, array in start_parameters().items()})
    content = RecordDict({MODEL: model, TASK: ConfigRecord(dict(task_to_values(TASKS["both"])))})
    app(InProcessGrid(app, 1).create_message(content, "train", 1, "1"), context)
    assert list(context.state) == [OWN_ROUND]


def test_every_training_is_charged_with_the_steps_that_it_takes():
    """6 calls in batches of 4: two batches, each call drawn with one half, two steps an epoch."""
    store = LedgerStore(IN_MEMORY, at_once=False)
    grid = InProcessGrid(build_client_app(lambda _device: some_calls(6), simulation_guard(store)), 1)
    for round_number in (1, 2, 3):
        assert not _train_once(grid, replace(TASKS["both"], round_number=round_number)).has_error()
    assert store.call_spending(rounds=3) == {0: [CallSteps(CALL_PRIVACY.noise_multiplier, 0.5, 2)] * 3}
    assert store.call_spending(rounds=2) == {0: [CallSteps(CALL_PRIVACY.noise_multiplier, 0.5, 2)] * 2}


def test_a_simulated_round_that_is_trained_again_after_a_kill_is_charged_once():
    store = LedgerStore(IN_MEMORY, at_once=False)
    grid = InProcessGrid(build_client_app(lambda _device: some_calls(6), simulation_guard(store)), 1)
    replies = [_train_once(grid, TASKS["both"]) for _ in range(2)]
    assert same_arrays(*(arrays_of(reply.content.array_records[UPDATE]) for reply in replies))
    assert len(store.call_spending(rounds=3)[0]) == 1


def _train_once(grid: InProcessGrid, task: LocalTask) -> Message:
    model = ArrayRecord({name: Array(array) for name, array in start_parameters().items()})
    content = RecordDict({MODEL: model, TASK: ConfigRecord(dict(task_to_values(task)))})
    (reply,) = grid.send_and_receive([grid.create_message(content, "train", 1, str(task.round_number))])
    return reply


def test_a_device_without_calls_takes_no_step_and_is_charged_for_taking_part_only():
    store = LedgerStore(IN_MEMORY, at_once=False)
    grid = InProcessGrid(build_client_app(lambda _device: [], simulation_guard(store)), 1)
    assert not _train_once(grid, TASKS["both"]).has_error()
    assert store.call_spending(rounds=1) == {}
    assert store.ledger_of(0).rounds(release=0) == [1]


@pytest.mark.parametrize("missing", ["call-noise-multiplier", "round", "call-clip-norm"])
def test_a_task_that_is_not_whole_is_refused_and_no_training(missing, log):
    values = task_to_values(TASKS["both"])
    del values[missing]
    grid = InProcessGrid(build_client_app(lambda _device: some_calls(3), simulation_guard()), 1)
    model = ArrayRecord({name: Array(array) for name, array in start_parameters().items()})
    content = RecordDict({MODEL: model, TASK: ConfigRecord(dict(values))})
    (reply,) = grid.send_and_receive([grid.create_message(content, "train", 1, "1")])
    assert missing in refusal_in(reply, log)
    assert len(grid.context_of(1).state) == 0


def test_a_device_that_masks_nothing_refuses_a_masked_task(log):
    """Such a task counts as noised, so a person's device would else send its update as it is."""
    reply, _ = ask(replace(SMALL_TASK, secure=secure_plan().task.secure), 3)
    assert "masks none" in refusal_in(reply, log)


def reply_where(raised: Exception) -> Message:
    """Return the reply of a device on which a step ends in this way."""

    def load_calls(_device: int) -> list[LabelledWords]:
        raise raised

    app = build_client_app(load_calls, simulation_guard())
    InProcessGrid(app, 1)  # sets the task's identity
    model = ArrayRecord({name: Array(array) for name, array in start_parameters().items()})
    content = RecordDict({MODEL: model, TASK: ConfigRecord(dict(task_to_values(SMALL_TASK)))})
    message = Message(content, 1, "train", group_id="1")
    message.metadata.__dict__["_message_id"] = "m"
    return app(message, empty_context())


def bytes_of(reply: Message) -> bytes:
    proto = message_to_proto(reply)
    proto.metadata.created_at = proto.metadata.ttl = 0.0
    return proto.SerializeToString(deterministic=True)


REFUSALS = [
    BudgetSpentError("epsilon 3.21 of 4 a call is spent"),
    ConsentRefusedError("there is no consent to training on this device"),
    TaskRefusedError("round 7 is over"),
    ProtocolRefusedError("this stage isn't next"),
]


def test_whatever_a_device_refuses_for_its_reply_is_the_same(log):
    """One bit: that it refuses. The reason stays in its log; the negative control is a failure, which has a name."""
    replies = [reply_where(error) for error in REFUSALS]
    assert refusal_in(replies[-1], log) == str(REFUSALS[-1])
    assert log.messages == [str(error) for error in REFUSALS]
    assert len({bytes_of(reply) for reply in replies}) == 1
    assert bytes_of(reply_where(ValueError("x"))) != bytes_of(replies[0])


def test_what_failed_on_a_device_is_named_and_its_text_stays_there():
    """Flower itself would send the text of whatever a ClientApp raises."""
    reply = reply_where(ValueError("여보세요"))
    assert reply.error.reason == "ValueError"
    assert "여보세요".encode() not in bytes_of(reply)


def test_refusals_have_the_code_that_flower_gives_to_mods():
    assert REFUSED == ErrorCode.MOD_FAILED_PRECONDITION
