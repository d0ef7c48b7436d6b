"""The device's Flower ClientApp: one training message in, one clipped update out."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from flwr.app import Array, ArrayRecord, ConfigRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp

from fl_client.private_training import CallSteps
from fl_client.training import LabelledWords, LocalResult, train_on_device
from models.domain.messages import METRICS, MODEL, TASK, UPDATE, task_from_values
from models.privacy.vectors import Arrays

DEVICE_ID = "partition-id"
"""Flower's name for a node's number in its configuration."""

STEPS = "call-steps"
"""Record in the device's own Flower state: every DP-SGD step it ever took. Never sent."""

OWN_ROUND = "own-round"
"""Record in the device's own Flower state: what a simulator may look at after a round. Never sent."""

CallLoader = Callable[[int], Sequence[LabelledWords]]
"""Gives the labelled calls of the device with this number."""


def build_client_app(load_calls: CallLoader) -> ClientApp:
    """Return the ClientApp of a device that reads its calls from ``load_calls``."""
    app = ClientApp()

    @app.train()
    def train(message: Message, context: Context) -> Message:
        task = task_from_values(dict(message.content.config_records[TASK]))  # type: ignore[arg-type]
        parameters = arrays_of(message.content.array_records[MODEL])
        device = int(context.node_config[DEVICE_ID])
        result = train_on_device(parameters, load_calls(device), task, device)
        _remember(context, result)
        return Message(_reply(result.update), reply_to=message)

    return app


def arrays_of(record: ArrayRecord) -> Arrays:
    """Return a record's arrays as NumPy arrays, in order."""
    return {name: array.numpy() for name, array in record.items()}


def record_of(arrays: Arrays) -> ArrayRecord:
    """Return NumPy arrays as a record, in order."""
    return ArrayRecord({name: Array(array) for name, array in arrays.items()})


def _reply(update: Arrays) -> RecordDict:
    """The update and nothing else of the device: no loss, no norm, no count of its calls."""
    return RecordDict({UPDATE: record_of(update), METRICS: MetricRecord({"num-examples": 1})})


def _remember(context: Context, result: LocalResult) -> None:
    context.state[OWN_ROUND] = MetricRecord({"norm": result.norm})
    if result.call_steps is not None:
        context.state[STEPS] = _add_steps(context.state.config_records.get(STEPS), result.call_steps)


def _add_steps(record: ConfigRecord | None, taken: CallSteps) -> ConfigRecord:
    record = record or ConfigRecord()
    noise = [*_floats(record, "noise"), taken.noise_multiplier]
    rates = [*_floats(record, "rates"), taken.sampling_rate]
    steps = [*_floats(record, "steps"), float(taken.steps)]
    return ConfigRecord({"noise": noise, "rates": rates, "steps": steps})


def _floats(record: ConfigRecord, name: str) -> list[float]:
    return [float(value) for value in record.get(name, [])]  # type: ignore[union-attr]
