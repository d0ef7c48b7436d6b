"""A Flower Grid inside one process: the real ServerApp and ClientApp, without Ray and without a SuperLink.

Every message crosses the grid as bytes, as it would cross a socket: nothing is shared by reference, and a wiretap can
read all of it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator

from flwr.app import Context, Error, Message, RecordDict
from flwr.clientapp import ClientApp
from flwr.common.constant import ErrorCode
from flwr.common.serde import message_from_proto, message_to_proto
from flwr.proto.message_pb2 import Message as ProtoMessage
from flwr.serverapp import Grid
from flwr.supercore.run import Run
from flwr.supercore.task_identity import TaskIdentity

from fl_client.app import DEVICE_ID

RUN_ID = 1

Wiretap = Callable[[bytes], None]
"""Is given every byte that crosses."""

IsLost = Callable[[str, int], bool]
"""Whether the device with this number drops out of the group (round) of this name."""


def nobody_is_lost(_group: str, _device: int) -> bool:
    """Say that every device replies."""
    return False


class InProcessGrid(Grid):
    """Runs each pushed message on its device at once and keeps the reply until it is pulled."""

    def __init__(
        self,
        client_app: ClientApp,
        devices: int,
        is_lost: IsLost = nobody_is_lost,
        wiretap: Wiretap | None = None,
        on_reply: Callable[[], None] | None = None,
    ) -> None:
        """Make a grid.

        Args:
            client_app: Runs on every device.
            devices: How many; their node ids are 1 to ``devices``, their numbers one less.
            is_lost: Devices that drop out: they answer with Flower's error for an unavailable node.
            wiretap: Is given the bytes of every message, both ways.
            on_reply: Called after every message, for a progress bar.
        """
        # flwr.app.Message asks for the identity of the running task, which a SuperLink would set.
        TaskIdentity.task_id, TaskIdentity.run_id, TaskIdentity.node_id = 1, RUN_ID, 1
        self._client_app, self._is_lost, self._wiretap, self._on_reply = client_app, is_lost, wiretap, on_reply
        self._run = Run.create_empty(RUN_ID)
        self._contexts = {
            node_id: Context(RUN_ID, node_id, {DEVICE_ID: node_id - 1}, RecordDict(), {})
            for node_id in range(1, devices + 1)
        }
        self._replies: dict[str, Message] = {}
        self._message_numbers = itertools.count(1)

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
        return list(self._contexts)

    def state_of(self, node_id: int) -> RecordDict:
        """Return a device's own Flower state. Only a simulator can look into it."""
        return self._contexts[node_id].state

    def push_messages(self, messages: Iterable[Message]) -> Iterator[str]:
        """Run messages on their devices, one after another, as the ids are asked for."""
        for message in messages:
            message_id = f"message-{next(self._message_numbers)}"
            message.metadata.__dict__["_message_id"] = message_id
            message.metadata.__dict__["_run_id"] = RUN_ID
            self._replies[message_id] = self._deliver(message)
            if self._on_reply:
                self._on_reply()
            yield message_id

    def pull_messages(self, message_ids: Iterable[str]) -> list[Message]:
        """Return the replies that are there; each is given out once."""
        return [self._replies.pop(message_id) for message_id in list(message_ids) if message_id in self._replies]

    def send_and_receive(self, messages: Iterable[Message], *, timeout: float | None = None) -> list[Message]:
        """Run messages and return their replies."""
        return self.pull_messages(self.push_messages(messages))

    def _deliver(self, message: Message) -> Message:
        node_id = message.metadata.dst_node_id
        if self._is_lost(message.metadata.group_id, node_id - 1):
            return self._fail(message, ErrorCode.NODE_UNAVAILABLE, "device dropped out")
        try:
            reply = self._client_app(self._cross(message), self._contexts[node_id])
        except Exception as error:  # Flower's contract: whatever fails on a device is an error reply
            return self._fail(message, ErrorCode.CLIENT_APP_RAISED_EXCEPTION, type(error).__name__)
        return self._cross(reply)

    def _fail(self, message: Message, code: int, reason: str) -> Message:
        return self._cross(Message(Error(code, reason), reply_to=message))

    def _cross(self, message: Message) -> Message:
        """Turn a message into bytes and back, as a socket would."""
        crossing = message_to_proto(message).SerializeToString()
        if self._wiretap:
            self._wiretap(crossing)
        return message_from_proto(ProtoMessage.FromString(crossing))
