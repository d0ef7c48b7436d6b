"""The simulated grids: Flower's contract, and every byte to be seen."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord, ConfigRecord, Context, Error, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.common.constant import ErrorCode
from flwr.common.serde import message_to_proto
from flwr.proto.message_pb2 import Message as ProtoMessage
from hypothesis import given
from hypothesis import strategies as st

from models.command import INTERRUPTED
from models.errors import UnreachableError
from simulations.crossing import MessageReader, MessageWriter, crossing_of
from simulations.grid import ByteGrid, InProcessGrid
from simulations.workers import AHEAD, WorkerGrid

ROOT = Path(__file__).parents[2]


def echo_app() -> ClientApp:
    """Return an app whose devices reply with what they were sent."""
    app = ClientApp()

    @app.train()
    def train(message: Message, context: Context) -> Message:
        context.state["seen"] = ArrayRecord({"round": Array(np.array([int(message.metadata.group_id)]))})
        return Message(message.content, reply_to=message)

    return app


def failing_app() -> ClientApp:
    app = ClientApp()

    @app.train()
    def train(message: Message, context: Context) -> Message:
        raise ValueError("나의 통화 내용")

    return app


def content(value: float = 1.0) -> RecordDict:
    return RecordDict({"model": ArrayRecord({"weight": Array(np.full(2, value, np.float32))})})


def request(grid: ByteGrid, node_id: int, group: str = "1") -> Message:
    return grid.create_message(content(), "train", node_id, group)


def test_nodes_are_numbered_from_one():
    assert InProcessGrid(echo_app(), 3).get_node_ids() == [1, 2, 3]


def test_each_message_is_answered_once_under_its_own_id():
    grid = InProcessGrid(echo_app(), 3)
    ids = list(grid.push_messages(request(grid, node) for node in (1, 2, 3)))
    assert len(set(ids)) == 3
    replies = grid.pull_messages(ids)
    assert [reply.metadata.reply_to_message_id for reply in replies] == ids
    assert [reply.metadata.src_node_id for reply in replies] == [1, 2, 3]
    assert grid.pull_messages(ids) == []


def test_only_the_replies_asked_for_are_pulled():
    grid = InProcessGrid(echo_app(), 2)
    first, second = grid.push_messages([request(grid, 1), request(grid, 2)])
    assert len(grid.pull_messages([second, "message-never-sent"])) == 1
    assert len(grid.pull_messages([first, second])) == 1


def test_sending_and_receiving_returns_every_reply():
    grid = InProcessGrid(echo_app(), 2)
    assert len(list(grid.send_and_receive([request(grid, 1), request(grid, 2)]))) == 2


def test_nothing_is_shared_by_reference():
    grid = InProcessGrid(echo_app(), 1)
    sent = request(grid, 1)
    (reply,) = grid.send_and_receive([sent])
    sent.content.array_records["model"]["weight"].data = b"changed later"
    assert np.array_equal(reply.content.array_records["model"]["weight"].numpy(), [1, 1])


def test_a_device_keeps_its_own_state_between_messages():
    grid = InProcessGrid(echo_app(), 2)
    list(grid.send_and_receive([request(grid, 1, "7")]))
    assert grid.context_of(1).state.array_records["seen"]["round"].numpy() == [7]
    assert len(grid.context_of(2).state) == 0


def test_a_device_that_drops_out_answers_with_flowers_error_and_never_trains():
    grid = InProcessGrid(echo_app(), 2, is_lost=lambda group, device: (group, device) == ("1", 1))
    ids = list(grid.push_messages([request(grid, 1), request(grid, 2)]))
    kept, lost = grid.pull_messages(ids)
    assert not kept.has_error()
    assert lost.error.code == ErrorCode.NODE_UNAVAILABLE
    assert lost.metadata.reply_to_message_id == ids[1]
    assert len(grid.context_of(2).state) == 0
    (later,) = grid.send_and_receive([request(grid, 2, "2")])
    assert not later.has_error()


def test_what_fails_on_a_device_is_an_error_reply_that_tells_nothing_of_its_calls():
    grid = InProcessGrid(failing_app(), 1)
    (reply,) = grid.send_and_receive([request(grid, 1)])
    assert reply.error.code == ErrorCode.CLIENT_APP_RAISED_EXCEPTION
    assert "통화" not in str(reply.error.reason)


@pytest.mark.parametrize(
    ("app", "lost"), [(echo_app(), False), (failing_app(), False), (echo_app(), True)], ids=["reply", "error", "lost"]
)
def test_the_wiretap_hears_every_reply_that_the_server_gets(app, lost):
    heard: list[bytes] = []
    grid = InProcessGrid(app, 1, is_lost=lambda _group, _device: lost, wiretap=heard.append)
    (reply,) = grid.send_and_receive([request(grid, 1)])
    last = ProtoMessage.FromString(heard[-1])
    assert last.metadata.reply_to_message_id == reply.metadata.reply_to_message_id
    assert last.HasField("error") == reply.has_error()


def test_the_wiretap_hears_the_request_and_the_reply_in_full():
    heard: list[bytes] = []
    grid = InProcessGrid(echo_app(), 1, wiretap=heard.append)
    list(grid.send_and_receive([request(grid, 1)]))
    assert len(heard) == 2
    assert all(np.ones(2, np.float32).tobytes() in crossing for crossing in heard)


@pytest.fixture(scope="module")
def workers() -> Iterator[WorkerGrid]:
    with WorkerGrid(counting_app, workers=2, devices=5, is_lost=lambda _group, device: device == 4) as grid:
        yield grid


def counting_app() -> ClientApp:
    """Return an app whose devices count their messages, name their process, and let it die when told to."""
    app = ClientApp()

    @app.train()
    def train(message: Message, context: Context) -> Message:
        if message.metadata.group_id == "die":
            os._exit(1)
        seen = context.state.metric_records.get("seen", MetricRecord({"messages": 0}))["messages"]
        context.state["seen"] = MetricRecord({"messages": seen + 1})
        told = MetricRecord({"messages": seen + 1, "process": os.getpid()})
        return Message(RecordDict({"told": told}), reply_to=message)

    @app.train("echo")
    def echo(message: Message, context: Context) -> Message:
        return Message(message.content, reply_to=message)

    return app


def test_a_device_stays_with_its_worker_and_keeps_its_state_there(workers: WorkerGrid):
    told: dict[int, list[tuple[int, int]]] = {node: [] for node in (1, 2, 3, 4)}
    for _ in range(3):
        for reply in workers.send_and_receive([request(workers, node) for node in told]):
            record = reply.content.metric_records["told"]
            told[reply.metadata.src_node_id].append((record["messages"], record["process"]))
    assert all([count for count, _ in seen] == [1, 2, 3] for seen in told.values())
    assert {len({process for _, process in seen}) for seen in told.values()} == {1}
    assert len({process for seen in told.values() for _, process in seen}) == 2


def test_a_device_that_drops_out_is_not_sent_to_a_worker(workers: WorkerGrid):
    (reply,) = workers.send_and_receive([request(workers, 5)])
    assert reply.error.code == ErrorCode.NODE_UNAVAILABLE


def test_a_cohort_larger_than_what_may_wait_is_answered_whole(workers: WorkerGrid):
    replies = workers.send_and_receive([request(workers, 1 + number % 4) for number in range(8 * AHEAD)])
    assert len(replies) == 8 * AHEAD


def test_messages_of_one_content_reach_a_worker_as_they_would_alone(workers: WorkerGrid):
    """Contents take turns, so that a worker is sent each of them anew and again."""
    first, second = content(1.0), content(2.0)
    contents = [first, first, second, second, first, content(3.0)]
    messages = [workers.create_message(each, "train.echo", 1 + place % 4, "1") for place, each in enumerate(contents)]
    sent = dict(zip(workers.push_messages(messages), contents, strict=True))
    replies = {}
    while len(replies) < len(sent):
        workers._take_in(None)
        replies |= {reply.metadata.reply_to_message_id: reply for reply in workers.pull_messages(sent)}
    assert all(replies[message_id].content == each for message_id, each in sent.items())


def test_a_pause_ends_when_an_answer_comes(workers: WorkerGrid):
    ids = list(workers.push_messages([request(workers, 1)]))
    workers.pause(60.0)
    assert len(workers.pull_messages(ids)) == 1


def test_a_worker_that_dies_is_told_of_in_one_line():
    with WorkerGrid(counting_app, workers=1, devices=1) as grid, pytest.raises(UnreachableError, match="--resume"):
        grid.send_and_receive([request(grid, 1, "die")])


@contextmanager
def waiting_run() -> Iterator[tuple[subprocess.Popen[str], list[int]]]:
    """Yield a run that waits, and what tells the end of each of its two workers."""
    command = [sys.executable, "-m", "tests.simulations.waiting_run"]
    run = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True, cwd=ROOT
    )
    with run:
        try:
            assert run.stdout is not None
            ends = [os.pidfd_open(int(process)) for process in run.stdout.readline().split()]
            assert len(ends) == 2
            yield run, ends
        finally:
            run.kill()
    for end in ends:
        os.close(end)


def has_ended(end: int) -> bool:
    """Wait for a process's end, a minute at most: it comes on its own."""
    poll = select.poll()
    poll.register(end, select.POLLIN)
    return bool(poll.poll(60_000))


def test_the_workers_of_a_killed_run_end_by_themselves():
    with waiting_run() as (run, ends):
        run.kill()
        assert all(has_ended(end) for end in ends)


def test_an_interrupted_run_ends_its_workers_and_says_one_word():
    """Ctrl-C reaches the run and its workers alike."""
    with waiting_run() as (run, ends):
        os.killpg(run.pid, signal.SIGINT)
        _, said = run.communicate(timeout=60)
        assert (run.returncode, said) == (INTERRUPTED, "interrupted\n")
        assert all(has_ended(end) for end in ends)


@given(sizes=st.lists(st.sampled_from([0, 1, 15, 16, 17, 4000, 5000]), max_size=4), named=st.text(min_size=1))
def test_a_message_is_written_as_flower_writes_it(sizes, named):
    """Around 128 and 16,384 bytes a field's length takes another byte."""
    grid, arrays = InProcessGrid(echo_app(), 1), {f"{named}{n}": np.ones(n, np.float32) for n in sizes}
    sent = content()
    sent[named] = ArrayRecord({name: Array(array) for name, array in arrays.items()})
    sent["task"], sent["metrics"] = ConfigRecord({named: [b"1", b"2"]}), MetricRecord({"rate": 0.5})
    message = grid.create_message(sent, "train", 1, named)
    assert crossing_of(message).whole == message_to_proto(message).SerializeToString()


def test_a_content_that_many_are_sent_is_written_as_if_each_were_alone():
    grid, shared, writer = InProcessGrid(echo_app(), 3), content(), MessageWriter()
    messages = [grid.create_message(shared, "train", node, "1") for node in (1, 2)] + [request(grid, 3)]
    messages.append(Message(Error(ErrorCode.NODE_UNAVAILABLE, "away"), reply_to=messages[0]))
    assert [writer.write(message).whole for message in messages] == [crossing_of(message).whole for message in messages]


def test_a_content_is_read_as_if_each_message_had_crossed_alone():
    grid, shared, writer, reader = InProcessGrid(echo_app(), 3), content(), MessageWriter(), MessageReader()
    shared["task"] = ConfigRecord({"round": 1, "rate": 0.5, "names": ["a", "b"]})
    messages = [grid.create_message(shared, "train", node, "1") for node in (1, 2)] + [request(grid, 3)]
    others = [
        RecordDict({"model": ArrayRecord({"weight": Array(np.full(*full, np.float32))})}) for full in [(2, 7), (3, 7)]
    ]
    messages += [grid.create_message(other, "train", 1, "1") for other in others]
    messages.append(Message(Error(ErrorCode.NODE_UNAVAILABLE, "away"), reply_to=messages[0]))
    for message in messages:
        read = reader.read(writer.write(message))
        assert crossing_of(read).whole == crossing_of(message).whole


def test_what_a_device_does_to_its_records_no_other_device_sees():
    def spoil(message: Message, context: Context) -> Message:
        seen = crossing_of(Message(message.content, reply_to=message)).whole
        message.content.array_records["model"]["weight"].data = b"spoiled"
        message.content.config_records["task"]["round"] = 7
        message.content.config_records["task"]["names"].append("c")
        del message.content["model"]
        return Message(RecordDict({"seen": ConfigRecord({"content": seen[-100:]})}), reply_to=message)

    app = ClientApp()
    app.train()(spoil)
    grid, shared = InProcessGrid(app, 2), content()
    shared["task"] = ConfigRecord({"round": 1, "names": ["a", "b"]})
    replies = grid.send_and_receive([grid.create_message(shared, "train", node, "1") for node in (1, 2)])
    assert len({reply.content.config_records["seen"]["content"] for reply in replies}) == 1


def test_progress_is_told_after_every_message():
    told: list[None] = []
    grid = InProcessGrid(echo_app(), 3, is_lost=lambda _group, device: device == 0, on_reply=lambda: told.append(None))
    list(grid.send_and_receive([request(grid, node) for node in (1, 2, 3)]))
    assert len(told) == 3
