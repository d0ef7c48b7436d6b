"""Flower Grids without Ray and without a SuperLink: the real ServerApp and ClientApp, in one process or in a few.

Every message crosses the grid as bytes, as it would cross a socket: nothing is shared by reference, and a wiretap can
read all of it.
"""

from __future__ import annotations

import itertools
import os
import signal
import threading
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from types import TracebackType

from flwr.app import Context, Error, Message, RecordDict
from flwr.clientapp import ClientApp
from flwr.common.constant import ErrorCode
from flwr.common.serde import message_from_proto, message_to_proto, recorddict_to_proto
from flwr.common.serde_utils import metadata_to_proto
from flwr.proto.message_pb2 import Message as ProtoMessage
from flwr.serverapp import Grid
from flwr.supercore.run import Run
from flwr.supercore.task_identity import TaskIdentity

from fl_client.app import DEVICE_ID, OWN_ROUND
from models.errors import UnreachableError

RUN_ID = 1

AHEAD = 8
"""Messages that wait for a worker, or their answers for us: bounds memory, and leaves no worker idle."""

Wiretap = Callable[[bytes], None]
"""Is given every byte that crosses."""

IsLost = Callable[[str, int], bool]
"""Whether the device with this number drops out of the group (round) of this name."""


def nobody_is_lost(_group: str, _device: int) -> bool:
    """Say that every device replies."""
    return False


class SimulatedGrid(Grid):
    """A grid whose nodes are devices 1 to N, and whose simulator may look into them."""

    @abstractmethod
    def take_norms(self) -> list[float]:
        """Return the norms of the updates since this was last asked. Only a simulator can know them."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What comes back from a device: the message's bytes, and beside the grid what only a simulator may know."""

    reply: bytes
    norm: float | None


class DeviceHost:
    """Devices in this process: their ClientApp, and the Flower context of each that was ever asked."""

    def __init__(self, client_app: ClientApp) -> None:
        # flwr.app.Message asks for the identity of the running task, which a SuperLink would set.
        TaskIdentity.task_id, TaskIdentity.run_id, TaskIdentity.node_id = 1, RUN_ID, 1
        self._client_app = client_app
        self._contexts: dict[int, Context] = {}

    def context_of(self, node_id: int) -> Context:
        """Return a device's own Flower context."""
        fresh = Context(RUN_ID, node_id, {DEVICE_ID: node_id - 1}, RecordDict(), {})
        return self._contexts.setdefault(node_id, fresh)

    def deliver(self, crossing: bytes) -> Answer:
        """Run a message on its device; what fails there is an error reply, as Flower's contract has it."""
        message = message_from_bytes(crossing)
        context = self.context_of(message.metadata.dst_node_id)
        try:
            reply = self._client_app(message, context)
        except Exception as error:
            failed = Error(ErrorCode.CLIENT_APP_RAISED_EXCEPTION, type(error).__name__)
            reply = Message(failed, reply_to=message)
        seen = context.state.pop(OWN_ROUND, None)
        return Answer(message_to_bytes(reply), None if seen is None else float(seen["norm"]))  # type: ignore[arg-type]


class ByteGrid(SimulatedGrid):
    """What both grids below have in common; they differ in where a device's work is done."""

    def __init__(
        self,
        devices: int,
        is_lost: IsLost = nobody_is_lost,
        wiretap: Wiretap | None = None,
        on_reply: Callable[[], None] | None = None,
    ) -> None:
        """Make a grid.

        Args:
            devices: How many; their node ids are 1 to ``devices``, their numbers one less.
            is_lost: Devices that drop out: they answer with Flower's error for an unavailable node.
            wiretap: Is given the bytes of every message, both ways.
            on_reply: Called after every reply, for a progress bar.
        """
        TaskIdentity.task_id, TaskIdentity.run_id, TaskIdentity.node_id = 1, RUN_ID, 1
        self._devices, self._is_lost, self._wiretap, self._on_reply = devices, is_lost, wiretap, on_reply
        self._run = Run.create_empty(RUN_ID)
        self._answers: dict[str, Future[Answer]] = {}
        self._norms: list[float] = []
        self._message_numbers = itertools.count(1)
        self._writer = MessageWriter()

    @abstractmethod
    def _submit(self, node_id: int, crossing: bytes) -> Future[Answer]:
        """Have a device work on a message."""

    def set_run(self, run: Run) -> None:
        """Set the run that messages belong to."""
        self._run = run

    @property
    def run(self) -> Run:
        """The run that messages belong to."""
        return self._run

    def create_message(
        self, content: RecordDict, message_type: str, dst_node_id: int, group_id: str, ttl: float | None = None
    ) -> Message:
        """Return a message to a device."""
        return Message(content, dst_node_id, message_type, ttl=ttl, group_id=group_id)

    def get_node_ids(self) -> list[int]:
        """Return every device's node id."""
        return list(range(1, self._devices + 1))

    def take_norms(self) -> list[float]:
        """Return the norms of the updates since this was last asked, in the order of the replies."""
        taken, self._norms = self._norms, []
        return taken

    def push_messages(self, messages: Iterable[Message]) -> Iterator[str]:
        """Have messages worked on, as the ids are asked for."""
        for message in messages:
            message_id = f"message-{next(self._message_numbers)}"
            message.metadata.__dict__["_message_id"] = message_id
            message.metadata.__dict__["_run_id"] = RUN_ID
            self._answers[message_id] = self._send(message)
            if self._on_reply:
                self._answers[message_id].add_done_callback(lambda _: self._on_reply and self._on_reply())
            yield message_id

    def pull_messages(self, message_ids: Iterable[str]) -> list[Message]:
        """Return the replies that are there, in the order of their messages; each is given out once."""
        wanted = set(message_ids)
        ready = [key for key, answer in self._answers.items() if key in wanted and answer.done()]
        return [self._receive(self._answers.pop(message_id)) for message_id in ready]

    def send_and_receive(self, messages: Iterable[Message], *, timeout: float | None = None) -> list[Message]:
        """Have messages worked on and return their replies."""
        message_ids = list(self.push_messages(messages))
        wait([self._answers[message_id] for message_id in message_ids], timeout)
        return self.pull_messages(message_ids)

    def _send(self, message: Message) -> Future[Answer]:
        crossing = self._heard(self._writer.write(message))
        if self._is_lost(message.metadata.group_id, message.metadata.dst_node_id - 1):
            error = Error(ErrorCode.NODE_UNAVAILABLE, "device dropped out")
            return _done(Answer(message_to_bytes(Message(error, reply_to=message)), None))
        return self._submit(message.metadata.dst_node_id, crossing)

    def _receive(self, future: Future[Answer]) -> Message:
        try:
            answer = future.result()
        except BrokenProcessPool as error:
            raise _worker_ended() from error
        if answer.norm is not None:
            self._norms.append(answer.norm)
        return message_from_bytes(self._heard(answer.reply))

    def _heard(self, crossing: bytes) -> bytes:
        if self._wiretap:
            self._wiretap(crossing)
        return crossing


class InProcessGrid(ByteGrid):
    """Runs each pushed message on its device at once, in this process."""

    def __init__(
        self,
        client_app: ClientApp,
        devices: int,
        is_lost: IsLost = nobody_is_lost,
        wiretap: Wiretap | None = None,
        on_reply: Callable[[], None] | None = None,
    ) -> None:
        """Make a grid of devices that run ``client_app``; see `ByteGrid` for the rest."""
        super().__init__(devices, is_lost, wiretap, on_reply)
        self._host = DeviceHost(client_app)

    def context_of(self, node_id: int) -> Context:
        """Return a device's own Flower context. Only a simulator can look into it."""
        return self._host.context_of(node_id)

    def _submit(self, _node_id: int, crossing: bytes) -> Future[Answer]:
        return _done(self._host.deliver(crossing))


class WorkerGrid(ByteGrid):
    """Shares the devices out among worker processes; a device stays with its worker, and so does its state.

    Results don't depend on the number of workers: every device's generator follows from the seed, and sums are exact.
    """

    def __init__(
        self,
        make_client_app: Callable[[], ClientApp],
        workers: int,
        devices: int,
        is_lost: IsLost = nobody_is_lost,
        wiretap: Wiretap | None = None,
        on_reply: Callable[[], None] | None = None,
    ) -> None:
        """Start so many worker processes, each of which calls ``make_client_app`` once; see `ByteGrid` for the rest."""
        super().__init__(devices, is_lost, wiretap, on_reply)
        # Started anew, not forked: this process has threads, and a fork would copy their locks as they stand.
        context = get_context("spawn")
        self._pools = [ProcessPoolExecutor(1, context, _host_devices, (make_client_app,)) for _ in range(workers)]
        self._ahead: list[set[Future[Answer]]] = [set() for _ in range(workers)]

    def __enter__(self) -> WorkerGrid:
        """Return the grid; its workers end with the block."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for pool in self._pools:
            pool.shutdown(cancel_futures=True)

    def _submit(self, node_id: int, crossing: bytes) -> Future[Answer]:
        worker = node_id % len(self._pools)
        if len(self._ahead[worker]) >= AHEAD:
            _, self._ahead[worker] = wait(self._ahead[worker], return_when=FIRST_COMPLETED)
        try:
            answer = self._pools[worker].submit(_deliver, crossing)
        except BrokenProcessPool as error:
            raise _worker_ended() from error
        self._ahead[worker].add(answer)
        return answer


class MessageWriter:
    """Writes messages as `message_to_bytes` does, but a content that many of them share only once.

    Protocol Buffers reads a message's parts one after the other as the whole message (its encoding rules, "last one
    wins" and merging).
    """

    def __init__(self) -> None:
        self._content: RecordDict | None = None
        self._written = b""

    def write(self, message: Message) -> bytes:
        """Return a message's bytes. Whoever sends the same content again hasn't changed it in between."""
        if not message.has_content():
            return message_to_bytes(message)
        if message.content is not self._content:
            self._content = message.content
            self._written = ProtoMessage(content=recorddict_to_proto(message.content)).SerializeToString()
        head: bytes = ProtoMessage(metadata=metadata_to_proto(message.metadata)).SerializeToString()
        return head + self._written


def message_to_bytes(message: Message) -> bytes:
    """Return a message as it crosses a socket."""
    crossing: bytes = message_to_proto(message).SerializeToString()
    return crossing


def message_from_bytes(crossing: bytes) -> Message:
    """Return the message that crossed."""
    return message_from_proto(ProtoMessage.FromString(crossing))


_host: DeviceHost
"""A worker's devices."""


def _host_devices(make_client_app: Callable[[], ClientApp]) -> None:
    global _host
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches us, too; the run stops its workers itself
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _host = DeviceHost(make_client_app())


def _end_with_parent() -> None:
    """Leave no worker behind when the run is killed."""
    parent = parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _worker_ended() -> UnreachableError:
    return UnreachableError("a worker process ended: is there enough memory? --resume goes on, --workers 1 takes least")


def _deliver(crossing: bytes) -> Answer:
    return _host.deliver(crossing)


def _done(answer: Answer) -> Future[Answer]:
    future: Future[Answer] = Future()
    future.set_result(answer)
    return future
