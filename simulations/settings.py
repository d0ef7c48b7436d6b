"""What a simulation is asked for, checked before any work is done."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

from models.domain.privacy import PrivacyMode
from models.domain.secure_aggregation import ThreatModel
from models.errors import UsageError
from models.privacy.secure_aggregation.quorum import require_rare_aborts
from simulations.scenarios import DEFAULT_DRIFT, drift_named


class Engine(StrEnum):
    """What carries the messages between server and devices."""

    LOCAL = "local"
    """All in this process."""

    RAY = "ray"
    """Flower's simulation runtime on Ray, started by ``flwr run``."""


ABOVE_ALL = 2**32
"""Every generator that is seeded takes a number below it."""


@dataclass(frozen=True, slots=True)
class RunSettings:
    """One simulated run. Equal settings give equal results, but for the time they take.

    Attributes:
        scenario: Name of the drift.
        devices: In the population that really runs.
        cohort: Devices drawn into a round, expected.
        rounds: Rounds of training.
        seed: Of everything random; nobody's data are at stake.
        privacy: Which protection devices and server train under.
        exact_population: Calibrate the noise to the devices that are there, and state their true epsilon.
        dropout: Share of the asked devices that drop out of a round; under secure aggregation in any stage of it.
        calls: The user's own calls for the devices; ``None`` for synthetic ones.
        base: A trained detector to start from; ``None`` trains one.
        engine: What carries the messages; the results don't depend on it.
        threat_model: What secure aggregation protects against; without it of no account.
    """

    scenario: str = DEFAULT_DRIFT
    devices: int = 200
    cohort: int = 50
    rounds: int = 40
    seed: int = 7
    privacy: PrivacyMode = PrivacyMode.PERSON
    exact_population: bool = False
    dropout: float = 0.1
    calls: Path | None = None
    base: Path | None = None
    engine: Engine = Engine.LOCAL
    threat_model: ThreatModel = ThreatModel.ACTIVE

    def __post_init__(self) -> None:
        """Refuse settings that make no run, in one clear line."""
        drift_named(self.scenario)
        for name, least in (("devices", 1), ("cohort", 1), ("rounds", 1), ("seed", 0)):
            if not least <= getattr(self, name) < ABOVE_ALL:
                raise UsageError(f"--{name} is {getattr(self, name)}; it must be at least {least} and below 2**32")
        if self.cohort > self.devices:
            raise UsageError(f"--cohort {self.cohort} is larger than the population of --devices {self.devices}")
        if not 0 <= self.dropout < 1:
            raise UsageError(f"--dropout is {self.dropout}; it must be at least 0 and below 1")
        if self.privacy is PrivacyMode.SECURE:
            if self.engine is Engine.RAY:
                raise UsageError("--privacy secure needs --engine local: Ray's workers share no device's memory")
            require_rare_aborts(self.devices, self.sampling_rate, self.dropout, self.threat_model)

    @property
    def sampling_rate(self) -> float:
        """Probability with which a device is drawn into a round."""
        return self.cohort / self.devices

    def digest(self) -> str:
        """Return a fingerprint by which a resumed run knows that it is the same; another engine may go on with it."""
        values = asdict(self) | {"calls": _content(self.calls), "base": str(self.base)}
        del values["engine"]
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def _content(calls: Path | None) -> str:
    """Return a file's fingerprint; of one that can't be read its name, for the reader to complain of."""
    if calls is None:
        return ""
    try:
        return hashlib.sha256(calls.read_bytes()).hexdigest()
    except OSError:
        return str(calls)
