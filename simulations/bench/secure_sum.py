"""Secure sums of 93,826 parameters a device, a fifth of the devices lost, at all stages or at one: what they cost.

Devices and server are the real state machines, on one thread; what the network costs is not in the figures. Each sum is
checked to be exact. A device's time is the median of all devices', with rotation, rounding and noise; its upload is the
largest.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from statistics import median
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from models.domain.messages import SecureStage
from models.domain.secure_aggregation import SecureTerms, ThreatModel
from models.privacy.clipping import clip_update
from models.privacy.randomness import SystemWords
from models.privacy.secure_aggregation import wire
from models.privacy.secure_aggregation.device import DeviceRound
from models.privacy.secure_aggregation.roster import Roster
from models.privacy.secure_aggregation.server import ServerRound
from models.privacy.secure_aggregation.session import Session
from models.privacy.secure_vector import VectorCode
from simulations.bench.row import Row, compare, full_is_asked, print_rows
from simulations.enrolment import SimulatedEnrolment

PARAMETERS, CLIP_NORM, DROPOUT = 93_826, 1.5, 0.2
SIZES, FULL_SIZES = (50, 100), (500, 1000)
STAGES = tuple(SecureStage)

DEVICES_AT_ONE_STAGE, COSTLIEST_STAGE = 100, SecureStage.MASKED
"""Who is lost with its vector has shared its keys: the server takes off its masks with every neighbour."""

Result = TypeVar("Result")


@dataclass
class Costs:
    """Seconds and bytes of one round, by device, and of the server."""

    server: float = 0.0
    device: dict[int, float] = field(default_factory=dict)
    upload: dict[int, int] = field(default_factory=dict)

    def on_server(self, work: Callable[..., Result], *arguments: object) -> Result:
        """Do a piece of the server's work and add its time."""
        started = time.perf_counter()
        result = work(*arguments)
        self.server += time.perf_counter() - started
        return result

    def on_device(self, device: int, work: Callable[..., Result], *arguments: object) -> Result:
        """Do a piece of a device's work and add its time."""
        started = time.perf_counter()
        result = work(*arguments)
        self.device[device] = self.device.get(device, 0.0) + time.perf_counter() - started
        return result

    def sent(self, device: int, values: wire.Values) -> None:
        """Count what a device sends besides its vector."""
        parts = [value if isinstance(value, list) else [value] for value in values.values()]
        size = sum(len(item) if isinstance(item, bytes) else 2 for part in parts for item in part)
        self.upload[device] = self.upload.get(device, 0) + size


class MeasuredRound:
    """One secure round, a fifth of whose devices is lost."""

    def __init__(self, devices: int, threat_model: ThreatModel, lost_at: Sequence[SecureStage] = STAGES) -> None:
        """Enrol the devices.

        Args:
            devices: That are asked.
            threat_model: Of the round.
            lost_at: The stages at which they are lost, as many at each.
        """
        quorum = int(devices * (1 - DROPOUT))
        terms = SecureTerms(threat_model, DROPOUT, quorum, devices, CLIP_NORM / quorum**0.5)
        session, enrolment = Session(1, b"m" * 32, b"t" * 32, terms), SimulatedEnrolment()
        self.code = VectorCode(PARAMETERS, CLIP_NORM, terms, session.digest())
        self.server = ServerRound(session, enrolment.authority, self.code.length, time.time())
        self.costs, self._devices, self._lost_at = Costs(), devices, lost_at
        self._parties = [
            DeviceRound(enrolment.credentials_of(device).identity, enrolment.authority, session, time.time())
            for device in range(devices)
        ]
        self._expected = np.zeros(self.code.length, np.uint32)
        self._update = np.random.default_rng(0).normal(size=PARAMETERS)
        self._source = SystemWords()

    def play(self) -> Costs:
        """Play the round and check the sum."""
        places = self._exchange_keys()
        survivors = self._mask(places)
        for device in self._here(SecureStage.SURVIVORS) if self._active else []:
            signature = self.costs.on_device(device, self._parties[device].sign, survivors)
            self.costs.sent(device, wire.write_signature(signature))
            self.costs.on_server(self.server.take_signature, places[device], signature)
        request = self.costs.on_server(self.server.close_signing)
        for device in self._here(SecureStage.UNMASK):
            shares = self.costs.on_device(device, self._parties[device].unmask, request)
            self.costs.sent(device, wire.write_boxes(shares))
            self.costs.on_server(self.server.take_revealed, places[device], shares)
        total = self.costs.on_server(self.server.finish)
        if not np.array_equal(total, self._expected):
            raise ArithmeticError("the secure sum is not the sum")
        self.costs.on_server(self._open, total, len(survivors))
        return self.costs

    @property
    def _active(self) -> bool:
        return self.code.terms.threat_model is ThreatModel.ACTIVE

    def _exchange_keys(self) -> dict[int, int]:
        """Play the first two stages and return each device's place."""
        advertised = {}
        for device in self._here(SecureStage.KEYS):
            advertised[device] = self.costs.on_device(device, self._parties[device].advertise)
            self.costs.sent(device, wire.write_advertisement(advertised[device]))
            self.costs.on_server(self.server.take_advertisement, advertised[device])
        roster: Roster = self.costs.on_server(self.server.close_advertising)
        numbers = {ad.identity: place for place, ad in enumerate(roster.advertisements)}
        places = {device: numbers[ad.identity] for device, ad in advertised.items()}
        for device in self._here(SecureStage.SHARES):
            shared = self.costs.on_device(device, self._parties[device].share, roster.advertisements)
            self.costs.sent(device, wire.write_shared(shared))
            self.costs.on_server(self.server.take_shared, places[device], shared)
        return places

    def _mask(self, places: dict[int, int]) -> Sequence[int]:
        """Play the stage in which vectors are sent and return the survivors."""
        inboxes = self.costs.on_server(self.server.close_sharing)
        for device in self._here(SecureStage.MASKED):
            words = self.costs.on_device(device, self.code.encode, self._update, self._source)
            self._expected += words
            inbox = inboxes[places[device]]
            masked = self.costs.on_device(device, self._parties[device].mask, inbox, b"m" * 32, partial(np.copy, words))
            self.costs.upload[device] += masked.nbytes
            self.costs.on_server(self.server.take_masked, places[device], masked)
        return self.costs.on_server(self.server.close_masking)

    def _here(self, stage: SecureStage) -> list[int]:
        """Return the devices that are left: every fifth is lost, at one stage of those named after the other."""
        every, stages = round(1 / DROPOUT), self._lost_at
        return [
            device
            for device in range(self._devices)
            if device % every or STAGES.index(stages[device // every % len(stages)]) > STAGES.index(stage)
        ]

    def _open(self, total: NDArray[np.uint32], survivors: int) -> None:
        total += self.code.draw_noise(self._devices - survivors, self._source)
        self.code.decode(total)


def measure(*, full: bool) -> list[Row]:
    """Return the rows of rounds against both kinds of server, with losses at all stages and at one alone."""
    sizes, alone = (SIZES + FULL_SIZES, STAGES) if full else (SIZES, (COSTLIEST_STAGE,))
    rows = [row for devices in sizes for threat_model in ThreatModel for row in _rows(devices, threat_model)]
    for threat_model in ThreatModel:
        for stage in stages_of(threat_model):
            if stage in alone:
                rows += _rows(DEVICES_AT_ONE_STAGE, threat_model, (stage,))
    return rows


def stages_of(threat_model: ThreatModel) -> list[SecureStage]:
    """Return a round's stages; devices compare the survivors against an active server only."""
    return [stage for stage in STAGES if stage is not SecureStage.SURVIVORS or threat_model is ThreatModel.ACTIVE]


def _rows(devices: int, threat_model: ThreatModel, lost_at: tuple[SecureStage, ...] = STAGES) -> list[Row]:
    costs = MeasuredRound(devices, threat_model, lost_at).play()
    name = f"secure_sum_{devices}" + ("_active" if threat_model is ThreatModel.ACTIVE else "")
    name += f"_lost_at_{lost_at[0].name.lower()}" if lost_at != STAGES else ""
    plain_bytes = 4 * PARAMETERS
    return [
        compare(f"{name}_server_seconds", "s", costs.server, "plain sums", _plain_sum_seconds(devices)),
        compare(f"{name}_device_seconds", "s", median(costs.device.values()), "clipping alone", _clip_seconds()),
        compare(f"{name}_upload_bytes", "bytes", max(costs.upload.values()), "32-bit vector", plain_bytes),
    ]


def _plain_sum_seconds(devices: int) -> float:
    vectors, total = np.ones((2, PARAMETERS), np.float32), np.zeros(PARAMETERS, np.float32)
    started = time.perf_counter()
    for device in range(devices):
        total += vectors[device % 2]
    return time.perf_counter() - started


def _clip_seconds() -> float:
    update = np.random.default_rng(0).normal(size=PARAMETERS)
    started = time.perf_counter()
    clip_update(update, CLIP_NORM)
    return time.perf_counter() - started


if __name__ == "__main__":
    print_rows(measure(full=full_is_asked()))
