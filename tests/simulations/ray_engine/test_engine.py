"""The same rounds in this process, shared out among workers, and on Flower's own runtime with Ray's."""

from __future__ import annotations

import json
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from fl_server.registry import create_registry
from models.detector.detector import TrainedDetector
from models.domain.privacy import PrivacyMode
from models.errors import UnreachableError
from simulations.data import gather_calls
from simulations.federating import WatchedFederation, drop_out
from simulations.field import Field, device_world, lay_field
from simulations.grid import InProcessGrid
from simulations.ray_engine.apps import FAILURE
from simulations.ray_engine.engine import EngineError, held_port, require_finished, run_on_ray
from simulations.report.content import RoundOutcome
from simulations.scenarios import drift_named
from simulations.settings import Engine, RunSettings
from simulations.workers import WorkerGrid
from simulations.workspace import Workspace, open_workspace
from tests.small_federation import same_arrays

pytestmark = pytest.mark.timeout(600)

SETTINGS = RunSettings(devices=12, cohort=6, rounds=2, dropout=0.3)


def test_rounds_on_ray_equal_those_in_this_process_bit_for_bit(base: Path, tmp_path: Path):
    settings = replace(SETTINGS, base=base)
    drift = drift_named(settings.scenario)
    field = lay_field(settings, drift, gather_calls(settings, drift), TrainedDetector.load(base))
    here, on_ray = (open_federation(settings, field, tmp_path / name) for name in ("here", "ray"))
    app = device_world(field, here[0].federation).build_app()
    here[1].run(InProcessGrid(app, settings.devices, drop_out(settings.seed, settings.dropout)))
    told: list[None] = []
    run_on_ray(replace(settings, engine=Engine.RAY), *on_ray, lambda: told.append(None))
    for number in (1, 2):
        assert same_arrays(here[1].model_after(number), on_ray[1].model_after(number))
    assert [without_time(o) for o in here[1].outcomes()] == [without_time(o) for o in on_ray[1].outcomes()]
    assert len(told) <= settings.rounds * settings.cohort


def test_devices_shared_out_among_workers_give_the_same_rounds(base: Path, tmp_path: Path):
    settings = replace(SETTINGS, base=base, privacy=PrivacyMode.BOTH)
    drift = drift_named(settings.scenario)
    field = lay_field(settings, drift, gather_calls(settings, drift), TrainedDetector.load(base))
    here, shared = (open_federation(settings, field, tmp_path / name) for name in ("here", "shared"))
    is_lost = drop_out(settings.seed, settings.dropout)
    here[1].run(InProcessGrid(device_world(field, here[0].federation).build_app(), settings.devices, is_lost))
    with WorkerGrid(device_world(field, shared[0].federation).build_app, 2, settings.devices, is_lost) as grid:
        shared[1].run(grid)
    assert same_arrays(here[1].model_after(2), shared[1].model_after(2))
    assert [without_time(o) for o in here[1].outcomes()] == [without_time(o) for o in shared[1].outcomes()]
    assert here[1].privacy() == shared[1].privacy()


def open_federation(settings: RunSettings, field: Field, folder: Path) -> tuple[Workspace, WatchedFederation]:
    workspace = open_workspace(folder, settings.digest(), resume=False)
    workspace.begin()
    return workspace, WatchedFederation(settings, field, workspace, create_registry(workspace.registry))


def without_time(outcome: RoundOutcome) -> RoundOutcome:
    return replace(outcome, report=replace(outcome.report, seconds=0.0))


def test_another_engine_may_go_on_with_an_interrupted_run():
    assert replace(SETTINGS, engine=Engine.RAY).digest() == SETTINGS.digest()


def test_a_rule_that_stopped_the_rounds_is_told_in_its_own_line(tmp_path: Path):
    (tmp_path / FAILURE).parent.mkdir()
    (tmp_path / FAILURE).write_text(json.dumps({"line": "the budget is spent", "exit_code": 4}))
    with pytest.raises(EngineError, match="the budget is spent") as stopped:
        require_finished(SETTINGS, Workspace(tmp_path, "", goes_on=True), done=1)
    assert stopped.value.exit_code == 4


def test_a_runtime_that_broke_down_is_told_with_the_place_of_its_log(tmp_path: Path):
    with pytest.raises(UnreachableError, match=r"after 1 of 2 rounds; ray/flower\.log"):
        require_finished(SETTINGS, Workspace(tmp_path, "", goes_on=True), done=1)


def test_rounds_that_are_all_done_are_no_error(tmp_path: Path):
    require_finished(SETTINGS, Workspace(tmp_path, "", goes_on=True), done=2)


def test_a_held_port_is_had_by_its_number_alone():
    """While Flower loads its modules, another process could be given the port that it was told to listen on."""
    with held_port() as port:
        with socket.socket() as other, pytest.raises(OSError, match="in use"):
            other.bind(("127.0.0.1", port))
        with socket.create_server(("127.0.0.1", port)):
            pass
