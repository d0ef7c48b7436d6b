"""A round under secure aggregation over any Flower grid: stage after stage, each with its own deadline."""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, Message, RecordDict
from flwr.serverapp import Grid
from numpy.typing import NDArray

from fl_server.collecting import LONGEST_PAUSE, MESSAGES_AT_ONCE, Clock, claimed_array, fate_of, pull_in_batches
from models.domain.messages import MODEL, SECURE, TASK, UPDATE, SecureStage, task_to_values
from models.domain.round import ReplyFate
from models.domain.secure_aggregation import ThreatModel
from models.domain.training import LocalTask
from models.errors import ProtocolRefusedError, RoundAbortedError, UpdateRefusedError
from models.privacy.randomness import SeededWords, SystemWords, WordSource, seeded_generator
from models.privacy.secure_aggregation import wire
from models.privacy.secure_aggregation.server import ServerRound
from models.privacy.secure_aggregation.session import Session, digest_model, digest_task
from models.privacy.secure_vector import VectorCode
from models.privacy.vectors import Arrays

LARGEST_MESSAGE = 16 * 2**20
"""Bytes of an array that a device may send; the longest vector needs 1/32 of it."""

_SERVER = 0
"""The server's place among the devices when generators are derived from a seed."""

Contents = Mapping[int, RecordDict]
"""What each node is sent, by its id."""


@dataclass(frozen=True, slots=True)
class SecureTotal:
    """What a secure round came to.

    Attributes:
        folded: Devices whose vectors are in the sum.
        update: Sum of their updates, noised, shape (P,); ``None`` where the round was aborted.
        clipped_share: Share of them that clipped, noised; ``None`` where the round was aborted.
        aborted: Why there is no sum.
        wrong_shares: Devices that gave wrong shares of others' secrets.
    """

    folded: int
    update: NDArray[np.float64] | None = None
    clipped_share: float | None = None
    aborted: str | None = None
    wrong_shares: int = 0

    def mean(self, cohort: int) -> NDArray[np.float64] | None:
        """Return the sum divided by the cohort that its noise is meant for; ``None`` where there is no sum."""
        return None if self.update is None else self.update / cohort


@dataclass(frozen=True, slots=True)
class SecureSettings:
    """How a server runs its secure rounds.

    Attributes:
        authority: Public key of the enrolment authority.
        deadline_seconds: For each stage.
        clock: Time.
        replied: Told of each reply that came, whatever it is.
    """

    authority: bytes
    deadline_seconds: float
    clock: Clock
    replied: Callable[[], None] = lambda: None


class SecureCollector:
    """Steps the server's machine through one round.

    ``sent_again`` counts replies that the grid handed over after a device's first of a stage: a lower bound, as in
    `collecting.Replies`. They are not looked at.
    """

    def __init__(self, grid: Grid, model: Arrays, task: LocalTask, settings: SecureSettings) -> None:
        """Prepare a round; nothing is sent yet.

        Args:
            grid: Reaches the devices.
            model: The global model.
            task: What devices do; its secure terms are the round's.
            settings: How.
        """
        assert task.secure is not None
        assert task.clip_norm is not None
        self._grid, self._model, self._task, self._settings = grid, model, task, settings
        values = task_to_values(task)
        self._session = Session(task.round_number, digest_model(model), digest_task(values), task.secure)
        parameters = sum(array.size for array in model.values())
        self._code = VectorCode(parameters, task.clip_norm, task.secure, self._session.digest())
        self._machine = ServerRound(self._session, settings.authority, self._code.length, time.time())
        self._places: dict[int, int] = {}
        self._fates: dict[int, ReplyFate] = {}
        self._answered: set[str] = set()
        self.sent_again = 0

    def collect(self, cohort: Sequence[int]) -> tuple[SecureTotal, dict[ReplyFate, int]]:
        """Run the round with a cohort; return the sum, or why there is none, and what became of each device."""
        self._fates = dict.fromkeys(cohort, ReplyFate.NO_REPLY)
        try:
            total = self._sum(cohort)
        except RoundAbortedError as aborted:
            total = SecureTotal(self._folded(), aborted=aborted.reason)
        return replace(total, wrong_shares=self._machine.wrong_shares), dict(Counter(self._fates.values()))

    def _sum(self, cohort: Sequence[int]) -> SecureTotal:
        if len(cohort) > self._session.terms.most_devices:
            raise RoundAbortedError(f"{len(cohort)} devices were drawn, more than agreed")
        self._exchange_keys(cohort)
        survivors = self._collect_masked()
        self._agree_on(survivors)
        self._unmask()
        return self._open(self._machine.finish())

    def _exchange_keys(self, cohort: Sequence[int]) -> None:
        task = ConfigRecord(dict(task_to_values(self._task)))
        proposal = RecordDict({TASK: task, SECURE: _record(wire.write_session(self._session.model_digest))})
        identities: dict[bytes, int] = {}

        def take(node: int, reply: Message) -> None:
            advertisement = wire.read_advertisement(_said(reply))
            self._machine.take_advertisement(advertisement)
            identities[advertisement.identity] = node

        self._ask(SecureStage.KEYS, dict.fromkeys(cohort, proposal), take)
        roster = self._machine.close_advertising()
        self._places = {identities[ad.identity]: place for place, ad in enumerate(roster.advertisements)}
        content = RecordDict({SECURE: _record(wire.write_roster(roster.advertisements))})
        self._ask(
            SecureStage.SHARES,
            dict.fromkeys(self._places, content),
            lambda node, reply: self._machine.take_shared(self._places[node], wire.read_shared(_said(reply))),
        )

    def _collect_masked(self) -> tuple[int, ...]:
        inboxes = self._machine.close_sharing()
        model = ArrayRecord({name: Array(array) for name, array in self._model.items()})
        contents = {
            node: RecordDict({MODEL: model, SECURE: _record(wire.write_boxes(inboxes[place]))})
            for node, place in self._places.items()
            if place in inboxes
        }

        def take(node: int, reply: Message) -> None:
            self._machine.take_masked(self._places[node], _vector_in(reply, self._code.length))
            self._fates[node] = ReplyFate.FOLDED

        self._ask(SecureStage.MASKED, contents, take)
        return self._machine.close_masking()

    def _agree_on(self, survivors: Sequence[int]) -> None:
        if self._session.terms.threat_model is ThreatModel.ACTIVE:
            content = RecordDict({SECURE: _record(wire.write_survivors(survivors))})
            self._ask(
                SecureStage.SURVIVORS,
                self._to_survivors(content),
                lambda node, reply: self._machine.take_signature(self._places[node], wire.read_signature(_said(reply))),
            )

    def _unmask(self) -> None:
        content = RecordDict({SECURE: _record(wire.write_unmasking(self._machine.close_signing()))})
        self._ask(
            SecureStage.UNMASK,
            self._to_survivors(content),
            lambda node, reply: self._machine.take_revealed(self._places[node], wire.read_boxes(_said(reply))),
        )

    def _open(self, total: NDArray[np.uint32]) -> SecureTotal:
        """Add the noise of the devices that are missing, so that the noise doesn't tell how many were there."""
        folded = self._folded()
        total += self._code.draw_noise(self._session.terms.most_devices - folded, _noise_source(self._task))
        decoded = self._code.decode(total)
        return SecureTotal(folded, decoded.update, decoded.clipped / folded)

    def _to_survivors(self, content: RecordDict) -> Contents:
        return {node: content for node, fate in self._fates.items() if fate is ReplyFate.FOLDED}

    def _folded(self) -> int:
        return sum(fate is ReplyFate.FOLDED for fate in self._fates.values())

    def _ask(self, stage: SecureStage, contents: Contents, take: Callable[[int, Message], None]) -> None:
        """Send a stage's messages and take in what comes before its deadline. No reply, however broken, stops it."""
        group = f"{self._task.round_number}/{stage}"
        for node, reply in self._replies(stage, group, contents):
            refused = _take_in(take, node, reply, group)
            # What fails after its vector came doesn't take a device out of the sum again.
            if refused is not None and self._fates[node] is ReplyFate.NO_REPLY:
                self._fates[node] = refused
            self._settings.replied()

    def _replies(self, stage: SecureStage, group: str, contents: Contents) -> Iterator[tuple[int, Message]]:
        """Send messages and yield each node's first reply, until all are there or the deadline has passed.

        A few are sent before replies are looked for: else a whole cohort's vectors would wait in memory.
        """
        clock, deadline = self._settings.clock, self._settings.clock.now() + self._settings.deadline_seconds
        left, pending = iter(contents.items()), dict[str, int]()
        while (some := dict(itertools.islice(left, MESSAGES_AT_ONCE))) and (seconds := deadline - clock.now()) > 0:
            messages = [self._grid.create_message(said, stage, node, group, seconds) for node, said in some.items()]
            pending |= dict(zip(self._grid.push_messages(messages), some, strict=True))
            yield from self._pull(pending)
        while pending and clock.now() < deadline:
            clock.pause(LONGEST_PAUSE)
            yield from self._pull(pending)

    def _pull(self, pending: dict[str, int]) -> Iterator[tuple[int, Message]]:
        """Yield the first replies that are there, and take them off those that are waited for."""
        for reply in pull_in_batches(self._grid, pending):
            answers = reply.metadata.reply_to_message_id
            self.sent_again += answers in self._answered
            if answers in pending:
                self._answered.add(answers)
                yield pending.pop(answers), reply


def _noise_source(task: LocalTask) -> WordSource:
    if task.seed is None:
        return SystemWords()
    return SeededWords(seeded_generator(task.seed, task.round_number, _SERVER, "missing noise shares"))


def _take_in(take: Callable[[int, Message], None], node: int, reply: Message, group: str) -> ReplyFate | None:
    """Have a reply taken in; return why its device is left out, ``None`` where it isn't."""
    if reply.has_error():
        return fate_of(reply.error)
    if reply.metadata.group_id != group:
        return ReplyFate.WRONG_ROUND
    try:
        take(node, reply)
    except UpdateRefusedError as refused:
        return ReplyFate(refused.fate)
    except ProtocolRefusedError:
        return ReplyFate.FAILED
    return None


def _record(values: wire.Values) -> ConfigRecord:
    return ConfigRecord(dict(values))


def _said(reply: Message) -> Mapping[str, object]:
    try:
        return reply.content.config_records[SECURE]
    except KeyError as error:
        raise ProtocolRefusedError("a reply is malformed") from error


def _vector_in(reply: Message, length: int) -> NDArray[np.uint32]:
    """Return a reply's masked vector, shape (length,).

    Raises:
        UpdateRefusedError: The reply holds none, bytes that are no array, or another one.
    """
    record = reply.content.get(UPDATE)
    if not isinstance(record, ArrayRecord) or list(record) != [wire.MASKED]:
        raise UpdateRefusedError(ReplyFate.WRONG_KEYS)
    if len(record[wire.MASKED].data) > LARGEST_MESSAGE:
        raise UpdateRefusedError(ReplyFate.TOO_LARGE)
    # What the header claims, before memory is set aside for it.
    claimed = claimed_array(record[wire.MASKED])
    if claimed.shape != (length,):
        raise UpdateRefusedError(ReplyFate.WRONG_SHAPE)
    if claimed.dtype != np.uint32:
        raise UpdateRefusedError(ReplyFate.WRONG_TYPE)
    try:
        return record[wire.MASKED].numpy()
    except Exception as error:  # NumPy's reader raises a dozen types on crafted bytes; none may stop the round
        raise UpdateRefusedError(ReplyFate.WRONG_SHAPE) from error
