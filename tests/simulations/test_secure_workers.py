"""Secure rounds of devices in worker processes: whoever holds a device, the sum is the same."""

from __future__ import annotations

import pickle
from functools import partial

import numpy as np
import torch
from flwr.clientapp import ClientApp

from fl_client.guard import simulation_guard
from fl_client.secure_training import build_secure_client_app
from fl_server.collecting import Clock
from fl_server.secure_collecting import SecureCollector, SecureSettings
from models.domain.round import ReplyFate
from models.privacy.secure_aggregation.identity import is_certified
from simulations.enrolment import SimulatedEnrolment
from simulations.grid import InProcessGrid, SimulatedGrid
from simulations.workers import WorkerGrid
from tests.secure_federation import secure_plan
from tests.small_federation import DEVICES, calls_of, start_parameters


def build_app(enrolment: SimulatedEnrolment) -> ClientApp:
    torch.set_num_threads(1)  # as in every simulated world: another number of threads may round otherwise
    return build_secure_client_app(calls_of, simulation_guard(), enrolment.credentials_of)


def secure_sum(grid: SimulatedGrid, enrolment: SimulatedEnrolment) -> np.ndarray:
    settings = SecureSettings(enrolment.authority, 600.0, Clock())  # workers start in it
    collector = SecureCollector(grid, start_parameters(), secure_plan().task_of(1, 1.0), settings)
    total, fates = collector.collect(grid.get_node_ids())
    assert fates == {ReplyFate.FOLDED: DEVICES}
    assert total.update is not None
    return total.update


def test_on_workers_the_sum_is_the_one_of_devices_in_one_process_bit_for_bit():
    enrolment = SimulatedEnrolment()
    alone = secure_sum(InProcessGrid(build_app(enrolment), DEVICES), enrolment)
    with WorkerGrid(partial(build_app, enrolment), workers=2, devices=DEVICES) as grid:
        assert np.array_equal(secure_sum(grid, enrolment), alone)


def test_another_process_certifies_under_the_same_authority():
    enrolment = SimulatedEnrolment()
    elsewhere: SimulatedEnrolment = pickle.loads(pickle.dumps(enrolment))
    identity = elsewhere.credentials_of(3).identity
    assert is_certified(enrolment.authority, identity.public_key, identity.certificate, 0.0)
