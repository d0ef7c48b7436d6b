"""A federation under secure aggregation, small enough to run in a test."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

from flwr.app import Context, Message
from flwr.clientapp import ClientApp

from fl_client.guard import simulation_guard
from fl_client.secure_training import build_secure_client_app
from fl_server.federation import Surroundings
from fl_server.rounds import FederationPlan
from models.domain.messages import SecureStage
from models.domain.secure_aggregation import SecureTerms, ThreatModel
from models.privacy.secure_vector import VectorCode
from simulations.enrolment import SimulatedEnrolment
from simulations.grid import InProcessGrid, IsLost, nobody_is_lost
from tests.small_federation import DEVICES, EVERYBODY, PERSON_PRIVACY, Spoil, Watcher, calls_of

QUORUM = 3
ENROLMENT = SimulatedEnrolment()


def secure_plan(threat_model: ThreatModel = ThreatModel.ACTIVE, noise: float = 1.0, rounds: int = 3) -> FederationPlan:
    """Return a plan that asks every device in every round, with so much noise on a quorum's sum."""
    terms = SecureTerms(threat_model, 0.0, QUORUM, DEVICES, noise / math.sqrt(QUORUM))
    privacy = replace(
        PERSON_PRIVACY,
        cohort=DEVICES,
        population=DEVICES,
        rounds=rounds,
        noise_multiplier=noise,
        distributed=VectorCode(1, PERSON_PRIVACY.clip_norm, terms, b"").noise(),
    )
    task = replace(EVERYBODY.task, secure=terms)
    return replace(EVERYBODY, rounds=rounds, quorum=QUORUM, task=task, person_privacy=privacy)


def secure_app(spoils: Mapping[tuple[int, SecureStage], Spoil] | None = None) -> ClientApp:
    """Return the real ClientApp, but for the nodes and stages named: those replies are spoiled on the way out."""
    honest = build_secure_client_app(calls_of, simulation_guard(), ENROLMENT.credentials_of)
    app = ClientApp()

    def step(message: Message, context: Context) -> Message:
        reply = honest(message, context)
        spoil = (spoils or {}).get((context.node_id, SecureStage(message.metadata.message_type)))
        return (spoil(reply) or reply) if spoil else reply

    for stage in SecureStage:
        category, _, action = stage.partition(".")
        getattr(app, category)(action)(step)
    return app


def secure_grid(app: ClientApp | None = None, is_lost: IsLost = nobody_is_lost) -> InProcessGrid:
    """Return a grid of devices that take part in secure rounds."""
    return InProcessGrid(app or secure_app(), DEVICES, is_lost)


def lose(at: Mapping[int, SecureStage]) -> IsLost:
    """Return who is lost: each device named (by number, from 0) from its stage on, in every round."""
    stages = list(SecureStage)

    def is_lost(group: str, device: int) -> bool:
        stage = SecureStage(group.partition("/")[2])
        return device in at and stages.index(stage) >= stages.index(at[device])

    return is_lost


class SecureWatcher(Watcher):
    """A watcher whose federation knows the enrolment authority."""

    def surroundings(self) -> Surroundings:
        """Return surroundings that tell this watcher."""
        return replace(super().surroundings(), authority=ENROLMENT.authority)
