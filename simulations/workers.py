"""A grid that shares the devices out among worker processes, one a core, over pipes and without threads."""

from __future__ import annotations

import fcntl
import itertools
import select
import signal
import struct
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection
from types import TracebackType

from flwr.clientapp import ClientApp

from models.errors import UnreachableError
from simulations.crossing import Crossing, Parts
from simulations.frames import read_frame, write_frame
from simulations.grid import Answer, ByteGrid, DeviceHost, IsLost, Wiretap, nobody_is_lost

AHEAD = 16
"""Messages that a worker has not answered: bounds memory, and leaves no worker idle."""

TOGETHER = 4
"""Answers of a worker that the run is woken for at once: it finds its code in the processor's cache but for the first.

Each has a pipe of its own, in turn: so no worker waits until it is read, and the last one's pipe tells that all came.
"""

PIPE_BYTES = 2**20
"""Room in a pipe, the most that Linux gives without asking: answers cross whole, not in sixteenths."""

_CONTENT, _HEAD = b"c", b"h"
"""What a worker is sent: a content for the messages to come, or the head of one."""

_NORM = struct.Struct("<d")

MakeClientApp = Callable[[], ClientApp]


class WorkerGrid(ByteGrid):
    """A device stays with its worker, and so does its state.

    Results don't depend on the number of workers: every device's generator follows from the seed, and sums are exact.
    """

    def __init__(
        self,
        make_client_app: MakeClientApp,
        workers: int,
        devices: int,
        is_lost: IsLost = nobody_is_lost,
        wiretap: Wiretap | None = None,
        on_reply: Callable[[], None] | None = None,
    ) -> None:
        """Start so many worker processes, each of which calls ``make_client_app`` once; see `ByteGrid` for the rest."""
        super().__init__(devices, is_lost, wiretap, on_reply)
        self._workers = [_Worker(make_client_app) for _ in range(workers)]

    def __enter__(self) -> WorkerGrid:
        """Return the grid; its workers end with the block."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for worker in self._workers:
            worker.close()

    def pause(self, seconds: float) -> None:
        """Let this time go by, or less: until an answer comes."""
        if any(worker.asked for worker in self._workers):
            self._take_in(seconds)
        else:
            super().pause(seconds)

    def _deliver(self, message_id: str, node_id: int, crossing: Crossing) -> None:
        worker = self._workers[node_id % len(self._workers)]
        while not worker.has_room_for(crossing):
            self._take(None, TOGETHER)
        worker.ask(message_id, crossing)

    def _take_in(self, seconds: float | None) -> None:
        while self._take(seconds, 1):
            seconds = 0.0

    def _take(self, seconds: float | None, together: int) -> bool:
        """Keep so many answers of each worker that has them; wait so long for the first that has. Say if one had."""
        waiting, poll = {}, select.poll()
        for worker in self._workers:
            if worker.asked:
                count = min(together, len(worker.asked))
                waiting[worker.pipe_of(count)] = worker, count
                poll.register(worker.pipe_of(count), select.POLLIN)
        ready = poll.poll(seconds and 1000 * seconds) if waiting else []
        for pipe, _ in ready:
            worker, count = waiting[pipe]
            for _ in range(count):
                self._keep(*worker.take())
        return bool(ready)


class _Worker:
    """A worker process, seen from the run.

    Attributes:
        asked: Ids of the messages that it hasn't answered, in order, as it will answer them.
    """

    def __init__(self, make_client_app: MakeClientApp) -> None:
        # Started anew, not forked: this process may have threads, and a fork would copy their locks as they stand.
        context = get_context("spawn")
        theirs, self._requests = context.Pipe(duplex=False)
        self._answers: tuple[Connection, ...]
        self._answers, backs = zip(*(context.Pipe(duplex=False) for _ in range(TOGETHER)), strict=True)
        self._taken = 0
        self.asked: deque[str] = deque()
        self._content: Parts | None = None
        for back in backs:
            with suppress(OSError, AttributeError):  # no room left for larger pipes, or not Linux: answers take longer
                fcntl.fcntl(back.fileno(), fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        self._process = context.Process(target=_work, args=(make_client_app, theirs, backs), daemon=True)
        self._process.start()
        # The worker's ends are its own now: with it they close, which is how either side learns of the other's end.
        for end in (theirs, *backs):
            end.close()

    def has_room_for(self, crossing: Crossing) -> bool:
        """Say whether a message can be sent without waiting for the worker.

        A content may fill the pipe, and is sent while nothing comes back: else both sides could wait for each other.
        """
        return len(self.asked) < AHEAD if crossing.content is self._content else not self.asked

    def ask(self, message_id: str, crossing: Crossing) -> None:
        """Send a message; its content only where the last message had another."""
        with _telling_of_the_end():
            if crossing.content is not self._content:
                write_frame(self._requests.fileno(), _CONTENT, *crossing.content)
                self._content = crossing.content
            write_frame(self._requests.fileno(), _HEAD, crossing.head)
        self.asked.append(message_id)

    def pipe_of(self, place: int) -> int:
        """Return the descriptor of the pipe that an answer comes through; the first not yet taken has place 1."""
        return self._answers[(self._taken + place - 1) % TOGETHER].fileno()

    def take(self) -> tuple[str, Answer]:
        """Return the next answer, and the message's id."""
        with _telling_of_the_end():
            norm, head, *content = read_frame(self.pipe_of(1))
        self._taken += 1
        return self.asked.popleft(), Answer(Crossing(head, tuple(content)), *_NORM.unpack(norm) if norm else (None,))

    def close(self) -> None:
        """End the process, after the message that it works on."""
        for end in (self._requests, *self._answers):
            end.close()
        self._process.join()


@contextmanager
def _telling_of_the_end() -> Iterator[None]:
    try:
        yield
    except (EOFError, OSError) as error:
        raise UnreachableError(
            "a worker process ended: is there enough memory? --resume goes on, --workers 1 takes least"
        ) from error


def _work(make_client_app: MakeClientApp, requests: Connection, answers: Sequence[Connection]) -> None:
    """Answer messages until the run closes its end, or is killed: then nobody holds that end any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches us, too; the run stops its workers itself
    host = DeviceHost(make_client_app())
    content: Parts = ()
    pipes = itertools.cycle(answers)
    with suppress(EOFError, OSError):
        while True:
            kind, *said = read_frame(requests.fileno())
            if kind == _CONTENT:
                content = tuple(said)
                continue
            answer = host.deliver(Crossing(said[0], content))
            norm = b"" if answer.norm is None else _NORM.pack(answer.norm)
            write_frame(next(pipes).fileno(), norm, answer.reply.head, *answer.reply.content)
