"""What a simulation is asked for, checked before any work is done."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

from models.domain.privacy import ClippingRule, Mechanism, PrivacyMode
from models.domain.round import RobustRule
from models.domain.secure_aggregation import ThreatModel
from models.errors import ExclusiveProtectionsError, UsageError
from models.privacy.secure_aggregation.quorum import require_rare_aborts
from simulations.scenarios import DEFAULT_DRIFT, drift_named


class Engine(StrEnum):
    """What carries the messages between server and devices."""

    LOCAL = "local"
    """On this machine: in this process, or shared out among workers."""

    RAY = "ray"
    """Flower's simulation runtime on Ray, started by ``flwr run``."""


NO_PART_IN_RESULTS = ("engine", "workers")
"""Settings of speed: an interrupted run may go on with others."""

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
        workers: Processes that the devices of the local engine are shared out among, nor on this.
        mechanism: What makes the noise for persons: ``gaussian`` or ``ftrl``.
        clipping: Whether the clip of persons' updates stays or follows them.
        robust: A rule against bad devices in the place of the mean.
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
    workers: int = 1
    mechanism: Mechanism = Mechanism.GAUSSIAN
    clipping: ClippingRule = ClippingRule.FIXED
    robust: RobustRule | None = None
    threat_model: ThreatModel = ThreatModel.ACTIVE

    def __post_init__(self) -> None:
        """Refuse settings that make no run, in one clear line."""
        drift_named(self.scenario)
        for name, least in (("devices", 1), ("cohort", 1), ("rounds", 1), ("seed", 0), ("workers", 1)):
            if not least <= getattr(self, name) < ABOVE_ALL:
                raise UsageError(f"--{name} is {getattr(self, name)}; it must be at least {least} and below 2**32")
        if self.cohort > self.devices:
            raise UsageError(f"--cohort {self.cohort} is larger than the population of --devices {self.devices}")
        if not 0 <= self.dropout < 1:
            raise UsageError(f"--dropout is {self.dropout}; it must be at least 0 and below 1")
        self._require_compatible()
        if self.privacy is PrivacyMode.SECURE:
            if self.engine is Engine.RAY:
                raise UsageError("--privacy secure needs --engine local: Ray's workers share no device's memory")
            require_rare_aborts(self.devices, self.sampling_rate, self.dropout, self.threat_model)

    @property
    def sampling_rate(self) -> float:
        """Probability with which a device is drawn into a round."""
        return self.cohort / self.devices

    def _require_compatible(self) -> None:
        """Refuse protections that can't be had together; docs/privacy.md has the table."""
        trees, adapts = self.mechanism is Mechanism.FTRL, self.clipping is ClippingRule.ADAPTIVE
        if self.mechanism is Mechanism.DP_SGD:
            raise UsageError("--mechanism is gaussian or ftrl; DP-SGD belongs to --privacy call and both")
        if trees and self.privacy is PrivacyMode.SECURE:
            raise ExclusiveProtectionsError(
                "--mechanism ftrl needs the server to add the noise; under secure it doesn't"
            )
        if adapts and self.privacy is PrivacyMode.SECURE:
            raise ExclusiveProtectionsError("--clipping adaptive needs single updates' lengths; secure hides them")
        if trees and adapts:
            raise ExclusiveProtectionsError("--mechanism ftrl needs a clip that stays: its noise spans rounds")
        if (trees or adapts or self.exact_population) and not self.privacy.protects_persons:
            raise UsageError(
                "--mechanism, --clipping and --exact-population are about noise for persons: choose --privacy person, "
                "both or secure"
            )
        if self.robust and self.privacy.protects_persons:
            raise ExclusiveProtectionsError(
                f"--robust {self.robust} excludes noise for persons: one person can move it further than a sum; "
                "choose --privacy none or call"
            )

    def digest(self) -> str:
        """Return a fingerprint by which a resumed run knows that it is the same; another engine may go on with it."""
        values = asdict(self) | {"calls": _content(self.calls), "base": str(self.base)}
        for name in NO_PART_IN_RESULTS:
            del values[name]
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def _content(calls: Path | None) -> str:
    """Return a file's fingerprint; of one that can't be read its name, for the reader to complain of."""
    if calls is None:
        return ""
    try:
        return hashlib.sha256(calls.read_bytes()).hexdigest()
    except OSError:
        return str(calls)
