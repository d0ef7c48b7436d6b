"""What the rounds of a simulation work on: detector, judge, and each device's calls."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from models.detector.detector import TrainedDetector
from models.domain.call import Call
from simulations.data import WorldCalls
from simulations.devices import DeviceWorld, ledgers_in
from simulations.measuring import Judge
from simulations.population import Population, deal_calls
from simulations.scenarios import Drift
from simulations.settings import RunSettings


@dataclass(frozen=True, slots=True)
class Field:
    """What rounds, release and report work on.

    Attributes:
        drift: What is new on the devices.
        calls: Who has which.
        base: The detector that the rounds start from.
        judge: Of every round's model.
        dealt: Each device's calls.
    """

    drift: Drift
    calls: WorldCalls
    base: TrainedDetector
    judge: Judge
    dealt: list[list[Call]]


def lay_field(settings: RunSettings, drift: Drift, calls: WorldCalls, base: TrainedDetector) -> Field:
    """Deal the calls to the devices. Equal settings give equal fields, in whichever process."""
    dealt = deal_calls(calls.devices, settings.devices, settings.seed)
    return Field(drift, calls, base, Judge(base, calls.acceptance, calls.kept_apart), dealt)


def device_world(field: Field, federation: Path) -> DeviceWorld:
    """Return the devices of a run, given what it works on and the folder of its federation."""
    return DeviceWorld(Population(field.dealt, field.base.embedding), ledgers_in(federation))
