"""The ServerApp and the ClientApp that Flower's simulation runtime loads: ours. Each process lays the field anew."""

from __future__ import annotations

import functools
import json
import os
from pathlib import Path

import torch
from flwr.app import Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid, ServerApp
from pydantic import TypeAdapter

from fl_client.app import DEVICE_ID, OWN_ROUND
from fl_server.registry import create_registry
from models.detector.detector import TrainedDetector
from models.durable_file import write_durably
from models.errors import HearsayError
from simulations.data import gather_calls
from simulations.federating import WatchedFederation, drop_out
from simulations.field import Field, device_world, lay_field
from simulations.ray_engine.numbered_grid import NORM, NUMBER, NumberedGrid
from simulations.scenarios import drift_named
from simulations.settings import RunSettings
from simulations.workspace import Workspace

FOLDER = "folder"
"""Name in Flower's run configuration: the run's folder."""

SETTINGS, FAILURE, PROCESS = "ray/settings.json", "ray/failure.json", "ray/process"
"""Below the run's folder: what the run was asked for, why it stopped, and the number of the process with the rounds."""

SETTINGS_JSON = TypeAdapter(RunSettings)

server_app = ServerApp()
client_app = ClientApp()


@server_app.main()
def serve(grid: Grid, context: Context) -> None:
    """Run the rounds that are left. An error of ours is left in a file for the process that waits."""
    root = _folder(context)
    write_durably(root / PROCESS, str(os.getpid()).encode())
    try:
        _run_rounds(grid, root)
    except HearsayError as error:
        write_durably(root / FAILURE, json.dumps({"line": str(error), "exit_code": error.exit_code}).encode())
        raise


@client_app.train()
def train(message: Message, context: Context) -> Message:
    """Train as every device does."""
    return _device_app(_folder(context))(message, context)


@client_app.query(NUMBER)
def tell_number(message: Message, context: Context) -> Message:
    """Tell a simulator which device this is, counted from 1."""
    number = int(context.node_config[DEVICE_ID]) + 1
    return Message(RecordDict({NUMBER: MetricRecord({"value": number})}), reply_to=message)


@client_app.query(NORM)
def tell_norm(message: Message, context: Context) -> Message:
    """Tell a simulator the norm of this device's last update, once."""
    seen = context.state.pop(OWN_ROUND, None)
    reply = RecordDict() if seen is None else RecordDict({NORM: MetricRecord({"value": seen["norm"]})})  # type: ignore[dict-item]
    return Message(reply, reply_to=message)


def _folder(context: Context) -> Path:
    return Path(str(context.run_config[FOLDER]))


def _run_rounds(grid: Grid, root: Path) -> None:
    torch.set_num_threads(1)
    settings, field = _lay_field(root)
    workspace = _workspace(root)
    federation = WatchedFederation(settings, field, workspace, create_registry(workspace.registry))
    federation.run(NumberedGrid(grid, settings.devices, drop_out(settings.seed, settings.dropout)))


@functools.cache
def _device_app(root: Path) -> ClientApp:
    """Return the devices' ClientApp; a worker process lays its field once."""
    _, field = _lay_field(root)
    return device_world(field, _workspace(root).federation).build_app()


def _workspace(root: Path) -> Workspace:
    return Workspace(root, "", goes_on=True)


def _lay_field(root: Path) -> tuple[RunSettings, Field]:
    settings = SETTINGS_JSON.validate_json((root / SETTINGS).read_bytes())
    drift = drift_named(settings.scenario)
    base = TrainedDetector.load(settings.base or _workspace(root).base)
    return settings, lay_field(settings, drift, gather_calls(settings, drift), base)
