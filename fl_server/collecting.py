"""Asking a cohort and taking in its replies, over any Flower grid."""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, Message, RecordDict
from flwr.common.constant import ErrorCode
from flwr.serverapp import Grid

from fl_server.aggregation import UpdateSum
from models.domain.messages import MODEL, TASK, UPDATE, task_to_values
from models.domain.round import ReplyFate
from models.domain.training import LocalTask
from models.errors import UpdateRefusedError
from models.privacy.vectors import Arrays

MESSAGES_AT_ONCE = 16
"""Messages pushed before replies are taken in: bounds the replies that wait in memory."""

PAUSE_SECONDS = 0.2
"""Between two looks for replies."""

_LOST = {
    ErrorCode.NODE_UNAVAILABLE,
    ErrorCode.MESSAGE_UNAVAILABLE,
    ErrorCode.REPLY_MESSAGE_UNAVAILABLE,
}


@dataclass(frozen=True, slots=True)
class Clock:
    """Time, passed in so that tests need none."""

    now: Callable[[], float] = time.monotonic
    pause: Callable[[float], None] = time.sleep


def ask_cohort(
    grid: Grid, cohort: Sequence[int], model: Arrays, task: LocalTask, deadline_seconds: float, clock: Clock
) -> Iterator[Message]:
    """Send a cohort its task and yield replies as they come, until all are there or the deadline has passed."""
    deadline = clock.now() + deadline_seconds
    pending: set[str] = set()
    for batch in _batches(_requests(grid, cohort, model, task)):
        pending |= set(grid.push_messages(batch))
        yield from _replies(grid, pending)
    while pending and clock.now() < deadline:
        yield from _replies(grid, pending)
        if pending:
            clock.pause(PAUSE_SECONDS)


def fold_replies(replies: Iterable[Message], asked: int, total: UpdateSum) -> dict[ReplyFate, int]:
    """Fold every usable reply into ``total`` and count what became of each device.

    No reply, however broken, stops the round.
    """
    fates = Counter(_fold(reply, total) for reply in replies)
    fates[ReplyFate.NO_REPLY] += asked - fates.total()
    return {fate: count for fate, count in fates.items() if count}


def _requests(grid: Grid, cohort: Sequence[int], model: Arrays, task: LocalTask) -> Iterator[Message]:
    content = RecordDict(
        {
            MODEL: ArrayRecord({name: Array(array) for name, array in model.items()}),
            TASK: ConfigRecord(dict(task_to_values(task))),
        }
    )
    for node_id in cohort:
        yield grid.create_message(content, "train", node_id, str(task.round_number))


def _batches(messages: Iterator[Message]) -> Iterator[list[Message]]:
    while batch := list(itertools.islice(messages, MESSAGES_AT_ONCE)):
        yield batch


def _replies(grid: Grid, pending: set[str]) -> Iterator[Message]:
    """Yield the replies that are there. A reply is known by what it answers: failed nodes don't give their id."""
    for reply in grid.pull_messages(list(pending)):
        if reply.metadata.reply_to_message_id in pending:
            pending.remove(reply.metadata.reply_to_message_id)
            yield reply


def _fold(reply: Message, total: UpdateSum) -> ReplyFate:
    if reply.has_error():
        return ReplyFate.NO_REPLY if reply.error.code in _LOST else ReplyFate.FAILED
    try:
        total.fold(_update_in(reply))
    except UpdateRefusedError as refused:
        return ReplyFate(refused.fate)
    return ReplyFate.FOLDED


def _update_in(reply: Message) -> Arrays:
    """Return the arrays of a reply.

    Raises:
        UpdateRefusedError: The reply holds no update, or bytes that are no array.
    """
    try:
        arrays = {name: array.numpy() for name, array in reply.content.array_records[UPDATE].items()}
    except Exception as error:  # NumPy's reader raises a dozen types on crafted bytes; none may stop the round
        raise UpdateRefusedError(ReplyFate.WRONG_SHAPE) from error
    # np.load gives an open archive, not an array, for the bytes of a zip file.
    if not all(isinstance(array, np.ndarray) for array in arrays.values()):
        raise UpdateRefusedError(ReplyFate.WRONG_SHAPE)
    return arrays
