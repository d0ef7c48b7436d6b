"""What the rounds of a simulation work on: detector, judge, and each device's calls."""

from __future__ import annotations

from dataclasses import dataclass

from models.detector.detector import TrainedDetector
from models.domain.call import Call
from simulations.data import WorldCalls
from simulations.measuring import Judge
from simulations.population import deal_calls
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
