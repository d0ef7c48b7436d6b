"""The devices of a simulation: the real ClientApp on each one's calls, in whichever process it runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from flwr.clientapp import ClientApp

from fl_client.app import build_client_app
from fl_client.guard import simulation_guard
from fl_client.ledger import LedgerStore
from fl_client.secure_training import Credentials, build_secure_client_app
from simulations.population import Population


@dataclass(frozen=True, slots=True)
class DeviceWorld:
    """All that simulated devices are made of; it may be sent to another process.

    Attributes:
        population: The devices' calls. Arrays only: transcripts would take many times their memory in every process.
        ledgers: File of all devices' privacy ledgers.
    """

    population: Population
    ledgers: Path

    def build_app(self) -> ClientApp:
        """Return the devices' ClientApp; this process trains on one thread from now on."""
        # The devices' matrices are small: a second thread costs more than it brings.
        torch.set_num_threads(1)
        guard = simulation_guard(LedgerStore(self.ledgers, at_once=False))
        return build_client_app(self.population.calls_of, guard)

    def build_secure_app(self, credentials_of: Callable[[int], Credentials]) -> ClientApp:
        """Return the ClientApp of devices that take part in secure rounds only."""
        torch.set_num_threads(1)
        guard = simulation_guard(LedgerStore(self.ledgers, at_once=False))
        return build_secure_client_app(self.population.calls_of, guard, credentials_of)


def ledgers_in(federation: Path) -> Path:
    """Return the file of all devices' privacy ledgers in the folder of a federation."""
    return federation / "devices.sqlite3"
