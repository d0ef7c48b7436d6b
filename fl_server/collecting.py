"""Asking a cohort and taking in its replies, over any Flower grid."""

from __future__ import annotations

import io
import itertools
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, Error, Message, RecordDict
from flwr.common.constant import ErrorCode
from flwr.serverapp import Grid
from numpy.typing import NDArray

from models.domain.messages import MODEL, REFUSED, TASK, UPDATE, VECTOR, task_to_values
from models.domain.round import ReplyFate
from models.domain.training import LocalTask
from models.errors import UpdateRefusedError
from models.npy import read_npy
from models.privacy.vectors import Arrays, require_vector

MESSAGES_AT_ONCE = 16
"""Messages pushed before replies are taken in: bounds the replies that wait in memory."""

LONGEST_HEADER = 4096
"""Bytes before an array's numbers; NumPy writes 128."""

SHORTEST_PAUSE, LONGEST_PAUSE = 0.005, 0.2
"""Seconds between two looks for replies: short while they come, twice as long after each look that found none."""

_ERROR_FATES = {
    ErrorCode.NODE_UNAVAILABLE: ReplyFate.NO_REPLY,
    ErrorCode.MESSAGE_UNAVAILABLE: ReplyFate.NO_REPLY,
    ErrorCode.REPLY_MESSAGE_UNAVAILABLE: ReplyFate.NO_REPLY,
    REFUSED: ReplyFate.REFUSED,
}


@dataclass(frozen=True, slots=True)
class Clock:
    """Time, passed in so that tests need none."""

    now: Callable[[], float] = time.monotonic
    pause: Callable[[float], None] = time.sleep


class Updates(Protocol):
    """What takes in the updates of a round."""

    @property
    def folded(self) -> int:
        """Updates taken in."""
        ...

    def fold(self, update: NDArray[np.float32]) -> None:
        """Take in one update, shape (P,), or raise ``UpdateRefusedError``."""
        ...


@dataclass(frozen=True, slots=True)
class Waiting:
    """How long a round waits.

    Attributes:
        deadline_seconds: For all replies.
        patience_seconds: So much longer while ``lacks_quorum`` says so.
        lacks_quorum: Whether replies are still too few.
    """

    deadline_seconds: float
    patience_seconds: float = 0.0
    lacks_quorum: Callable[[], bool] = lambda: False


class Replies:
    """A cohort is sent its task, and its replies are given out as they come: each device's first, and no stranger's.

    ``sent_again`` counts what the grid handed over after a device's first: a lower bound of what was sent, for nobody
    asks for a reply once the first is there.
    """

    def __init__(
        self, grid: Grid, cohort: Sequence[int], model: Arrays, task: LocalTask, waiting: Waiting, clock: Clock
    ) -> None:
        """Prepare; nothing is sent before the replies are asked for."""
        self._grid, self._clock, self._waiting = grid, clock, waiting
        self._begun = clock.now()
        self._requests = _requests(grid, cohort, model, task, self._seconds_left)
        self._round = str(task.round_number)
        self._pending: set[str] = set()
        self._answered: set[str] = set()
        self.sent_again = 0

    def __iter__(self) -> Iterator[Message]:
        """Yield replies until all are there or the time is over. Whoever isn't asked by then isn't asked any more."""
        for batch in _batches(self._requests):
            if not self._waits():
                return
            self._pending |= set(self._grid.push_messages(batch))
            yield from self._pull()
        pause = SHORTEST_PAUSE
        while self._pending and self._waits():
            before = len(self._pending)
            yield from self._pull()
            pause = SHORTEST_PAUSE if len(self._pending) < before else min(2 * pause, LONGEST_PAUSE)
            if self._pending:
                self._clock.pause(pause)

    def _seconds_left(self) -> float:
        """Return how long a message may live: a device refuses it afterwards."""
        waiting = self._waiting
        return self._begun + waiting.deadline_seconds + waiting.patience_seconds - self._clock.now()

    def _waits(self) -> bool:
        left = self._seconds_left()
        return left > self._waiting.patience_seconds or (left > 0 and self._waiting.lacks_quorum())

    def _pull(self) -> Iterator[Message]:
        """Yield the replies that are there. A reply is known by what it answers: failed nodes don't give their id."""
        for reply in pull_in_batches(self._grid, self._pending):
            answers = reply.metadata.reply_to_message_id
            self.sent_again += answers in self._answered
            if answers in self._pending:
                self._pending.remove(answers)
                self._answered.add(answers)
                yield reply


def pull_in_batches(grid: Grid, message_ids: Iterable[str]) -> Iterator[Message]:
    """Yield the replies that are there, few in memory at a time: those of slow devices may all have come by now."""
    left = iter(list(message_ids))
    while batch := list(itertools.islice(left, MESSAGES_AT_ONCE)):
        yield from grid.pull_messages(batch)


def fold_replies(
    replies: Iterable[Message], asked: int, total: Updates, parameters: int, round_number: int
) -> dict[ReplyFate, int]:
    """Fold every usable reply into ``total`` and count what became of each device.

    No reply, however broken, stops the round.

    Args:
        replies: As they come.
        asked: Devices of the cohort; those without a reply are counted, too.
        total: Takes in the updates.
        parameters: Of the global model; every update must have as many.
        round_number: Replies to another round are refused.
    """
    fates = Counter(_fold(reply, total, parameters, str(round_number)) for reply in replies)
    fates[ReplyFate.NO_REPLY] += asked - fates.total()
    return {fate: count for fate, count in fates.items() if count}


def _requests(
    grid: Grid, cohort: Sequence[int], model: Arrays, task: LocalTask, seconds_left: Callable[[], float]
) -> Iterator[Message]:
    content = RecordDict(
        {
            MODEL: ArrayRecord({name: Array(array) for name, array in model.items()}),
            TASK: ConfigRecord(dict(task_to_values(task))),
        }
    )
    for node_id in cohort:
        yield grid.create_message(content, "train", node_id, str(task.round_number), max(seconds_left(), 0.0))


def _batches(messages: Iterator[Message]) -> Iterator[list[Message]]:
    while batch := list(itertools.islice(messages, MESSAGES_AT_ONCE)):
        yield batch


def _fold(reply: Message, total: Updates, parameters: int, round_name: str) -> ReplyFate:
    if reply.has_error():
        return fate_of(reply.error)
    if reply.metadata.group_id != round_name:
        return ReplyFate.WRONG_ROUND
    try:
        total.fold(_update_in(reply, parameters))
    except UpdateRefusedError as refused:
        return ReplyFate(refused.fate)
    return ReplyFate.FOLDED


def _update_in(reply: Message, parameters: int) -> NDArray[np.float32]:
    """Return the vector of a reply. Nothing larger than the model is read.

    Raises:
        UpdateRefusedError: The reply holds no update, another shape, too many bytes, or bytes that are no array.
    """
    record = reply.content.get(UPDATE)
    if not isinstance(record, ArrayRecord) or list(record) != [VECTOR]:
        raise UpdateRefusedError(ReplyFate.WRONG_KEYS)
    usual = read_npy(record[VECTOR].data, (parameters,))
    return _parsed(record[VECTOR], parameters) if usual is None else usual


def _parsed(array: Array, parameters: int) -> NDArray[np.float32]:
    """Return a vector that was written otherwise than we write it."""
    require_vector(claimed_array(array), parameters)
    if len(array.data) > np.dtype(np.float32).itemsize * parameters + LONGEST_HEADER:
        raise UpdateRefusedError(ReplyFate.TOO_LARGE)
    try:
        return array.numpy()
    except Exception as error:  # NumPy's reader raises a dozen types on crafted bytes; none may stop the round
        raise UpdateRefusedError(ReplyFate.WRONG_SHAPE) from error


def fate_of(error: Error) -> ReplyFate:
    """Return what became of a device in whose reply's place an error came."""
    return _ERROR_FATES.get(error.code, ReplyFate.FAILED)


def claimed_array(array: Array) -> NDArray[np.float32]:
    """Return an array without numbers of the shape and type that NumPy's header claims: what would be read.

    Raises:
        UpdateRefusedError: The bytes don't begin with NumPy's header.
    """
    try:
        header = io.BytesIO(array.data)
        version = np.lib.format.read_magic(header)
        read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, kind = read_header(header)
        # No memory behind it, however large a header claims to be.
        return np.broadcast_to(np.zeros((), dtype=kind), shape)
    except Exception as error:  # as above
        raise UpdateRefusedError(ReplyFate.WRONG_SHAPE) from error
