"""Secure rounds played in a test: real devices and server, with devices lost at any stage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from numpy.typing import NDArray

from models.domain.secure_aggregation import SecureTerms, ThreatModel
from models.errors import ProtocolRefusedError
from models.privacy.secure_aggregation.device import DeviceRound, Stage
from models.privacy.secure_aggregation.identity import Identity, certify_identity
from models.privacy.secure_aggregation.roster import Advertisement, Roster
from models.privacy.secure_aggregation.server import ServerRound
from models.privacy.secure_aggregation.session import Session

LENGTH = 8
NOW = 1_800_000_000.0
AUTHORITY_KEY = Ed25519PrivateKey.generate()
AUTHORITY = AUTHORITY_KEY.public_key().public_bytes_raw()
MODEL = b"m" * 32
NEVER = Stage.OVER
"""The stage at which a device that stays to the end is lost."""


def terms_for(devices: int, threat_model: ThreatModel, *, quorum: int = 3, dropout: float = 0.0) -> SecureTerms:
    """Return terms for so many devices."""
    return SecureTerms(threat_model, dropout, quorum, devices, 1.0)


def session_with(terms: SecureTerms, round_number: int = 1) -> Session:
    """Return a session of a test's model and task."""
    return Session(round_number, MODEL, b"t" * 32, terms)


def new_identity(authority: Ed25519PrivateKey = AUTHORITY_KEY, made: float = NOW) -> Identity:
    """Return a device's identity, certified at that time."""
    key = Ed25519PrivateKey.generate()
    return Identity(key, certify_identity(authority, key.public_key().public_bytes_raw(), made))


def vector_of(device: int, length: int = LENGTH) -> NDArray[np.uint32]:
    """Return a device's vector, as large as words can be."""
    return np.random.default_rng(device).integers(0, 2**32, length, dtype=np.uint32)


def sum_of(devices: list[int], length: int = LENGTH) -> NDArray[np.uint32]:
    """Return the sum of devices' vectors modulo 2^32, computed in the open."""
    total = sum((vector_of(device, length).astype(object) for device in devices), np.zeros(length, object))
    return np.array([value % 2**32 for value in total], dtype=np.uint32)


@dataclass
class PlayedRound:
    """Devices and server of one round, stepped stage by stage. A device that refuses is as good as lost.

    Attributes:
        terms: Of the round.
        devices: How many.
        lost: The stage at which a device is lost, by its number; absent means never.
    """

    terms: SecureTerms
    devices: int
    lost: Mapping[int, Stage] = field(default_factory=dict)
    length: int = LENGTH

    def __post_init__(self) -> None:
        self.session = session_with(self.terms)
        self.parties = [DeviceRound(new_identity(), AUTHORITY, self.session, NOW) for _ in range(self.devices)]
        self.server = ServerRound(self.session, AUTHORITY, self.length, NOW)
        self.places: dict[int, int] = {}
        self.refusals: list[str] = []

    def here(self, stage: Stage) -> list[int]:
        """Return the devices that answer at a stage."""
        return [device for device in range(self.devices) if self.lost.get(device, NEVER) > stage]

    def surviving(self, stage: Stage) -> list[int]:
        """Return the devices that answer at a stage after their vectors came: nobody else is asked."""
        return [device for device in self.here(stage) if self.places.get(device) in self.survivors]

    def advertise(self) -> Roster:
        """Play the first stage."""
        ads: dict[int, Advertisement] = {}
        for device in self.here(Stage.ADVERTISE):
            ads[device] = self.parties[device].advertise()
            self.server.take_advertisement(ads[device])
        self.roster = self.server.close_advertising()
        self.places = {device: self.roster.advertisements.index(ad) for device, ad in ads.items()}
        return self.roster

    def share(self) -> dict[int, dict[int, bytes]]:
        """Play the second stage and return the inboxes."""
        for device in self.here(Stage.SHARE):
            self.server.take_shared(self.places[device], self.parties[device].share(self.roster.advertisements))
        self.inboxes = self.server.close_sharing()
        return self.inboxes

    def mask(self) -> tuple[int, ...]:
        """Play the third stage and return the survivors."""
        for device in self.here(Stage.MASK):
            place = self.places[device]
            try:
                masked = self.parties[device].mask(self.inboxes[place], MODEL, partial(vector_of, device, self.length))
            except ProtocolRefusedError as refused:
                self.refusals.append(refused.reason)
            else:
                self.server.take_masked(place, masked)
        self.survivors = self.server.close_masking()
        return self.survivors

    def sign(self) -> None:
        """Play the consistency stage, where there is one."""
        if self.terms.threat_model is ThreatModel.ACTIVE:
            for device in self.surviving(Stage.SIGN):
                self.server.take_signature(self.places[device], self.parties[device].sign(self.survivors))
        self.request = self.server.close_signing()

    def unmask(self) -> NDArray[np.uint32]:
        """Play the last stage and return the sum."""
        for device in self.surviving(Stage.UNMASK):
            self.server.take_revealed(self.places[device], self.parties[device].unmask(self.request))
        return self.server.finish()

    def play(self) -> NDArray[np.uint32]:
        """Play all stages and return the sum."""
        self.advertise()
        self.share()
        self.mask()
        self.sign()
        return self.unmask()


def play_until(stage: Stage, threat_model: ThreatModel, devices: int = 4, quorum: int = 3) -> PlayedRound:
    """Return a round in which nobody was lost, with everything before a stage done."""
    played = PlayedRound(terms_for(devices, threat_model, quorum=quorum), devices)
    for step in (played.advertise, played.share, played.mask, played.sign)[:stage]:
        step()
    return played
