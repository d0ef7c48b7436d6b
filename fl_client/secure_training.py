"""The device's Flower ClientApp under secure aggregation: a handler a stage, and a masked vector is all that leaves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from numpy.typing import NDArray

from fl_client.app import DEVICE_ID, OWN_ROUND, CallLoader, model_in, said_in, say_no_more
from fl_client.guard import Guard
from fl_client.training import LabelledWords, require_trainable, train_on_device
from models.detector.plain_classifier import compile_step
from models.domain.messages import SECURE, TASK, UPDATE, SecureStage, task_from_values
from models.domain.training import LocalTask
from models.errors import ProtocolRefusedError
from models.privacy.randomness import SeededWords, SystemWords, WordSource, seeded_generator
from models.privacy.secure_aggregation import wire
from models.privacy.secure_aggregation.device import DeviceRound
from models.privacy.secure_aggregation.identity import Identity
from models.privacy.secure_aggregation.masks import Words
from models.privacy.secure_aggregation.session import Session, digest_model, digest_task
from models.privacy.secure_vector import VectorCode
from models.privacy.vectors import Arrays


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a device needs to know its peers by.

    Attributes:
        identity: Its own key and certificate.
        authority: Public key of the enrolment authority, from a source that the aggregating server can't change.
    """

    identity: Identity
    authority: bytes


@dataclass(frozen=True, slots=True)
class OpenRound:
    """A round that a device takes part in. It lives in memory only: a device that restarts has dropped out."""

    machine: DeviceRound
    session: Session
    task: LocalTask


def build_secure_client_app(
    load_calls: CallLoader, guard: Guard, credentials_of: Callable[[int], Credentials]
) -> ClientApp:
    """Return the ClientApp of a device that takes part in secure rounds and in no others.

    Args:
        load_calls: Gives the labelled calls of the device with this number.
        guard: Admits and charges what is trained.
        credentials_of: Gives its credentials.
    """
    compile_step()
    app = ClientApp(mods=[say_no_more])
    rounds: dict[int, OpenRound] = {}

    @app.train()
    def train(message: Message, context: Context) -> Message:
        raise ProtocolRefusedError("an unmasked update was asked for")

    @app.query(_action(SecureStage.KEYS))
    def keys(message: Message, context: Context) -> Message:
        device = int(context.node_config[DEVICE_ID])
        rounds.pop(device, None)
        opened = _open_round(message, credentials_of(device), guard.now())
        # Asked before anybody counts on this device: one that can't take part would have to be made up for later.
        guard.require_open(device, opened.task, load_calls(device), _end_of(message))
        rounds[device] = opened
        return _answer(message, wire.write_advertisement(rounds[device].machine.advertise()))

    @app.query(_action(SecureStage.SHARES))
    def shares(message: Message, context: Context) -> Message:
        return _answer(message, wire.write_shared(_machine(rounds, context).share(wire.read_roster(_said(message)))))

    @app.train(_action(SecureStage.MASKED))
    def masked(message: Message, context: Context) -> Message:
        device = int(context.node_config[DEVICE_ID])
        machine, opened, model = _machine(rounds, context), rounds[device], model_in(message)
        boxes, digest = wire.read_boxes(_said(message)), digest_model(model)
        words = machine.mask(boxes, digest, lambda: _train(model, opened, load_calls(device), guard, message, context))
        return _update(message, words)

    @app.query(_action(SecureStage.SURVIVORS))
    def survivors(message: Message, context: Context) -> Message:
        signature = _machine(rounds, context).sign(wire.read_survivors(_said(message)))
        return _answer(message, wire.write_signature(signature))

    @app.query(_action(SecureStage.UNMASK))
    def unmask(message: Message, context: Context) -> Message:
        machine = _machine(rounds, context)
        del rounds[int(context.node_config[DEVICE_ID])]
        return _answer(message, wire.write_boxes(machine.unmask(wire.read_unmasking(_said(message)))))

    return app


def _open_round(message: Message, credentials: Credentials, now: float) -> OpenRound:
    """Return the round that the server proposes; whatever it says of it is signed with the device's keys."""
    values = said_in(message, TASK)
    task = task_from_values(values)
    if task.secure is None:
        raise ProtocolRefusedError("an unmasked update was asked for")
    model_digest = wire.read_session(_said(message))
    session = Session(task.round_number, model_digest, digest_task(values), task.secure)  # type: ignore[arg-type]
    return OpenRound(DeviceRound(credentials.identity, credentials.authority, session, now), session, task)


def _code_for(model: Arrays, opened: OpenRound) -> VectorCode:
    """Return how an update of a model travels.

    Raises:
        UsageError: It is too long, or its words have no room for the noise.
    """
    assert opened.task.clip_norm is not None
    parameters = sum(array.size for array in model.values())
    return VectorCode(parameters, opened.task.clip_norm, opened.session.terms, opened.session.digest())


def _train(
    model: Arrays, opened: OpenRound, calls: Sequence[LabelledWords], guard: Guard, message: Message, context: Context
) -> Words:
    """Return a device's clipped update with its share of the noise as words; the update's norm stays in its state."""
    device, task, code = int(context.node_config[DEVICE_ID]), opened.task, _code_for(model, opened)
    require_trainable(model, calls)
    # The charge comes last before the training: no refusal spends anything.
    admission = guard.admit(device, task, calls, _end_of(message))
    result = train_on_device(model, admission.calls, replace(task, clip_norm=None, secure=None), device)
    admission.require_covered(result.call_steps)
    context.state[OWN_ROUND] = MetricRecord({"norm": result.norm})
    return code.encode(result.update.astype(np.float64), _noise_source(task, device))


def _noise_source(task: LocalTask, device: int) -> WordSource:
    if task.seed is None:
        return SystemWords()
    return SeededWords(seeded_generator(task.seed, task.round_number, device, "noise share"))


def _end_of(message: Message) -> float:
    return message.metadata.created_at + message.metadata.ttl


def _machine(rounds: dict[int, OpenRound], context: Context) -> DeviceRound:
    opened = rounds.get(int(context.node_config[DEVICE_ID]))
    if opened is None:
        raise ProtocolRefusedError("this device is in no round")
    return opened.machine


def _action(stage: SecureStage) -> str:
    return stage.partition(".")[2]


def _said(message: Message) -> dict[str, object]:
    return said_in(message, SECURE)


def _update(message: Message, masked: NDArray[np.uint32]) -> Message:
    return Message(RecordDict({UPDATE: ArrayRecord({wire.MASKED: Array(masked)})}), reply_to=message)


def _answer(message: Message, values: wire.Values) -> Message:
    return Message(RecordDict({SECURE: ConfigRecord(dict(values))}), reply_to=message)
