"""The device's Flower ClientApp: one training message in, one clipped update out."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

import numpy as np
from flwr.app import Array, ArrayRecord, Context, Error, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.common.constant import ErrorCode, SType
from numpy.typing import NDArray

from fl_client.guard import Guard
from fl_client.training import LabelledWords, require_trainable, train_on_device
from models.detector.plain_classifier import compile_step
from models.domain.messages import METRICS, MODEL, REFUSED, TASK, UPDATE, VECTOR, task_from_values
from models.errors import ProtocolRefusedError, RefusedError, TaskRefusedError
from models.npy import read_npy, write_npy
from models.privacy.vectors import Arrays

DEVICE_ID = "partition-id"
"""Flower's name for a node's number in its configuration."""

OWN_ROUND = "own-round"
"""Record in the device's own Flower state: what a simulator may look at after a round. Never sent."""

CallLoader = Callable[[int], Sequence[LabelledWords]]
"""Gives the labelled calls of the device with this number."""

_log = logging.getLogger("hearsay.device")


def build_client_app(load_calls: CallLoader, guard: Guard) -> ClientApp:
    """Return the ClientApp of a device that trains plainly or under DP-SGD, and masks nothing.

    Args:
        load_calls: Gives the labelled calls of the device with this number.
        guard: Admits and charges what is trained.
    """
    compile_step()
    app = ClientApp(mods=[say_no_more])

    @app.train()
    def train(message: Message, context: Context) -> Message:
        task = task_from_values(said_in(message, TASK))
        if task.secure is not None:
            raise ProtocolRefusedError("a masked update was asked for, and this device masks none")
        device, model = int(context.node_config[DEVICE_ID]), model_in(message)
        calls = load_calls(device)
        require_trainable(model, calls)
        # The charge comes last before the training: no refusal spends anything.
        admission = guard.admit(device, task, calls, message.metadata.created_at + message.metadata.ttl)
        result = train_on_device(model, admission.calls, task, device)
        admission.require_covered(result.call_steps)
        context.state[OWN_ROUND] = MetricRecord({"norm": result.norm})
        return Message(_reply(result.update), reply_to=message)

    return app


def say_no_more(message: Message, context: Context, step: Callable[[Message, Context], Message]) -> Message:
    """Answer a refusal by that word, and a failed step by the error's name: Flower would send the text of both.

    A reason may tell of calls, budgets and consent; it stays in the device's own log.
    """
    try:
        return step(message, context)
    except RefusedError as refusal:
        _log.info("%s", refusal)
        error = Error(REFUSED, "refused")
    except Exception as failure:
        error = Error(ErrorCode.CLIENT_APP_RAISED_EXCEPTION, type(failure).__name__)
    return Message(error, reply_to=message)


def said_in(message: Message, record: str) -> dict[str, object]:
    """Return the values of a message's record by name.

    Raises:
        TaskRefusedError: There is no such record.
    """
    try:
        return dict(message.content.config_records[record])
    except KeyError:
        raise TaskRefusedError(f"the message lacks its {record}") from None


def model_in(message: Message) -> Arrays:
    """Return a message's model.

    Raises:
        TaskRefusedError: There is none, or it can't be read.
    """
    try:
        return arrays_of(message.content.array_records[MODEL])
    except Exception as error:  # NumPy's reader raises a dozen types on crafted bytes
        raise TaskRefusedError("the message's model can't be read") from error


def arrays_of(record: ArrayRecord) -> Arrays:
    """Return a record's arrays as NumPy arrays, in order."""
    return {name: _numbers_of(array) for name, array in record.items()}


def _numbers_of(array: Array) -> NDArray[np.float32]:
    read = read_npy(array.data, array.shape)
    return array.numpy() if read is None else read


def _reply(update: NDArray[np.float32]) -> RecordDict:
    """The update and nothing else of the device: no loss, no norm, no count of its calls."""
    record = ArrayRecord()
    record[VECTOR] = Array("float32", update.shape, SType.NUMPY, write_npy(update))
    return RecordDict({UPDATE: record, METRICS: MetricRecord({"num-examples": 1})})
