"""Flower Grids without Ray and without a SuperLink: the real ServerApp and ClientApp, here in one process.

Every message crosses the grid as bytes, as it would cross a socket: nothing that can change is shared by reference, and
a wiretap can read all of it.
"""

from __future__ import annotations

import itertools
import time
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from flwr.app import Context, Error, Message, RecordDict
from flwr.clientapp import ClientApp
from flwr.common.constant import ErrorCode
from flwr.serverapp import Grid
from flwr.supercore.run import Run
from flwr.supercore.task_identity import TaskIdentity

from fl_client.app import DEVICE_ID, OWN_ROUND
from simulations.crossing import Crossing, MessageReader, MessageWriter, crossing_of

RUN_ID = 1

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

    def pause(self, seconds: float) -> None:
        """Let this time go by before the next look for replies. A grid that knows when they come may return then."""
        time.sleep(seconds)


@dataclass(frozen=True, slots=True)
class Answer:
    """What comes back from a device.

    Attributes:
        reply: The message.
        norm: Of the update, beside the message: only a simulator may know it.
    """

    reply: Crossing
    norm: float | None


class DeviceHost:
    """Devices in this process: their ClientApp, and the Flower context of each that was ever asked."""

    def __init__(self, client_app: ClientApp) -> None:
        # flwr.app.Message asks for the identity of the running task, which a SuperLink would set.
        TaskIdentity.task_id, TaskIdentity.run_id, TaskIdentity.node_id = 1, RUN_ID, 1
        self._client_app, self._reader = client_app, MessageReader()
        self._contexts: dict[int, Context] = {}

    def context_of(self, node_id: int) -> Context:
        """Return a device's own Flower context."""
        if node_id not in self._contexts:
            self._contexts[node_id] = Context(RUN_ID, node_id, {DEVICE_ID: node_id - 1}, RecordDict(), {})
        return self._contexts[node_id]

    def deliver(self, crossing: Crossing) -> Answer:
        """Run a message on its device; what fails there is an error reply, as Flower's contract has it."""
        message = self._reader.read(crossing)
        context = self.context_of(message.metadata.dst_node_id)
        try:
            reply = self._client_app(message, context)
        except Exception as error:
            failed = Error(ErrorCode.CLIENT_APP_RAISED_EXCEPTION, type(error).__name__)
            reply = Message(failed, reply_to=message)
        seen = context.state.pop(OWN_ROUND, None)
        return Answer(crossing_of(reply), None if seen is None else float(seen["norm"]))  # type: ignore[arg-type]


class ByteGrid(SimulatedGrid):
    """What grids of simulated devices have in common; they differ in where a device's work is done."""

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
        self._answers: dict[str, Answer] = {}
        self._norms: list[float] = []
        self._message_numbers = itertools.count(1)
        self._writer, self._reader = MessageWriter(), MessageReader()

    @abstractmethod
    def _deliver(self, message_id: str, node_id: int, crossing: Crossing) -> None:
        """Have a device work on a message; its answer is kept now or later."""

    def _take_in(self, seconds: float | None) -> None:
        """Keep the answers that have come; where none has, wait so long for one, or without an end."""

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
            self._send(message_id, message)
            yield message_id

    def pull_messages(self, message_ids: Iterable[str]) -> list[Message]:
        """Return the replies that are there, in the order in which they came; each is given out once."""
        self._take_in(0.0)
        wanted = set(message_ids)
        ready = [message_id for message_id in self._answers if message_id in wanted]
        return [self._receive(self._answers.pop(message_id)) for message_id in ready]

    def send_and_receive(self, messages: Iterable[Message], *, timeout: float | None = None) -> list[Message]:
        """Have messages worked on and return their replies."""
        ends = None if timeout is None else time.monotonic() + timeout
        message_ids = set(self.push_messages(messages))
        left = timeout
        while not message_ids <= self._answers.keys() and (left is None or left > 0):
            self._take_in(left)
            left = None if ends is None else ends - time.monotonic()
        return self.pull_messages(message_ids)

    def _send(self, message_id: str, message: Message) -> None:
        crossing, node_id = self._writer.write(message), message.metadata.dst_node_id
        if self._wiretap:
            self._wiretap(crossing.whole)
        if self._is_lost(message.metadata.group_id, node_id - 1):
            error = Error(ErrorCode.NODE_UNAVAILABLE, "device dropped out")
            self._keep(message_id, Answer(crossing_of(Message(error, reply_to=message)), None))
        else:
            self._deliver(message_id, node_id, crossing)

    def _keep(self, message_id: str, answer: Answer) -> None:
        self._answers[message_id] = answer
        if self._on_reply:
            self._on_reply()

    def _receive(self, answer: Answer) -> Message:
        if answer.norm is not None:
            self._norms.append(answer.norm)
        if self._wiretap:
            self._wiretap(answer.reply.whole)
        return self._reader.read(answer.reply)


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

    def _deliver(self, message_id: str, _node_id: int, crossing: Crossing) -> None:
        self._keep(message_id, self._host.deliver(crossing))
