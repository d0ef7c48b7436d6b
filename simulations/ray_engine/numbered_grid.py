"""Flower's own grid, seen as the devices 1 to N: the same cohorts are drawn as over the in-process grid."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable, Iterator, Sequence

from flwr.app import ConfigRecord, Error, Message, MessageType, RecordDict
from flwr.common.constant import ErrorCode
from flwr.serverapp import Grid
from flwr.supercore.run import Run

from models.errors import UnreachableError
from simulations.grid import IsLost, SimulatedGrid

START_SECONDS = 120.0
QUERY_SECONDS = 600.0
PAUSE_SECONDS = 0.1

NUMBER, NORM = "number", "norm"
"""What a simulator asks a simulated device; no device of people's answers such queries."""


class NumberedGrid(SimulatedGrid):
    """Devices have numbers here; Flower draws their node ids at random.

    A device that drops out is never asked, and its reply is Flower's error for an unavailable node.
    """

    def __init__(self, grid: Grid, devices: int, is_lost: IsLost) -> None:
        """Learn which node is which device.

        Args:
            grid: Flower's.
            devices: How many it will have.
            is_lost: Devices that drop out.

        Raises:
            UnreachableError: The nodes didn't start, or didn't answer.
        """
        self._grid, self._is_lost = grid, is_lost
        self._flower_ids = _number_nodes(grid, _await_nodes(grid, devices))
        self._asked: set[int] = set()
        self._lost: dict[str, Message] = {}
        self._lost_numbers = itertools.count(1)

    def set_run(self, run: Run) -> None:
        """Set the run that messages belong to."""
        self._grid.set_run(run)

    @property
    def run(self) -> Run:
        """The run that messages belong to."""
        return self._grid.run

    def create_message(
        self, content: RecordDict, message_type: str, dst_node_id: int, group_id: str, ttl: float | None = None
    ) -> Message:
        """Return a message to a device."""
        return Message(content, self._flower_ids[dst_node_id], message_type, ttl=ttl, group_id=group_id)

    def get_node_ids(self) -> list[int]:
        """Return every device's number."""
        return sorted(self._flower_ids)

    def push_messages(self, messages: Iterable[Message]) -> Iterator[str]:
        """Send messages on, but those to devices that drop out."""
        numbers = {flower_id: number for number, flower_id in self._flower_ids.items()}
        for message in messages:
            number = numbers[message.metadata.dst_node_id]
            if self._is_lost(message.metadata.group_id, number - 1):
                yield self._lose(message)
            else:
                self._asked.add(number)
                yield from self._grid.push_messages([message])

    def pull_messages(self, message_ids: Iterable[str]) -> list[Message]:
        """Return the replies that are there; each is given out once."""
        wanted = set(message_ids)
        lost = [self._lost.pop(message_id) for message_id in wanted & self._lost.keys()]
        asked = [message_id for message_id in wanted if not message_id.startswith(_LOST)]
        return lost + (list(self._grid.pull_messages(asked)) if asked else [])

    def send_and_receive(self, messages: Iterable[Message], *, timeout: float | None = None) -> Iterable[Message]:
        """Send messages and return their replies, as Flower's grid does."""
        return self._grid.send_and_receive(messages, timeout=timeout)

    def take_norms(self) -> list[float]:
        """Return the norms of the updates since this was last asked, in the order of the devices."""
        asked, self._asked = sorted(self._asked), set()
        told = _ask(self._grid, NORM, [self._flower_ids[number] for number in asked])
        return [float(content[NORM]["value"]) for content in told.values() if NORM in content]  # type: ignore[arg-type]

    def _lose(self, message: Message) -> str:
        message_id = f"{_LOST}{next(self._lost_numbers)}"
        message.metadata.__dict__["_message_id"] = message_id
        self._lost[message_id] = Message(Error(ErrorCode.NODE_UNAVAILABLE, "device dropped out"), reply_to=message)
        return message_id


_LOST = "lost-"


def _await_nodes(grid: Grid, devices: int) -> list[int]:
    """Return the nodes' ids; Flower registers them while the server already runs."""
    until = time.monotonic() + START_SECONDS
    while len(ids := list(grid.get_node_ids())) < devices:
        if time.monotonic() > until:
            raise UnreachableError(f"only {len(ids)} of {devices} simulated devices started")
        time.sleep(PAUSE_SECONDS)
    return ids


def _number_nodes(grid: Grid, flower_ids: Sequence[int]) -> dict[int, int]:
    """Return each device's Flower id by its number, from 1."""
    told = _ask(grid, NUMBER, flower_ids)
    return {int(content[NUMBER]["value"]): flower_id for flower_id, content in told.items()}  # type: ignore[arg-type]


def _ask(grid: Grid, question: str, flower_ids: Sequence[int]) -> dict[int, RecordDict]:
    """Ask nodes one question and return their answers by Flower id, in order."""
    # Flower refuses a message whose content is empty.
    content = RecordDict({question: ConfigRecord({"asked": True})})
    messages = [Message(content, flower_id, f"{MessageType.QUERY}.{question}") for flower_id in flower_ids]
    replies = [reply for reply in grid.send_and_receive(messages, timeout=QUERY_SECONDS) if reply.has_content()]
    if len(replies) < len(messages):
        raise UnreachableError(f"only {len(replies)} of {len(messages)} simulated devices answered")
    told = {reply.metadata.src_node_id: reply.content for reply in replies}
    return {flower_id: told[flower_id] for flower_id in flower_ids}
