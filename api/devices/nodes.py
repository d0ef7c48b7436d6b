"""Who may train: a device with keys and the consent to training. Each change is an order to the server that trains."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from api.consents.repository import last_entry
from api.devices import repository
from api.orders.service import place_order
from api.problems import Problem, ProblemError
from models.domain.consent import Purpose
from models.domain.order import RegisterNode, RemoveNode
from models.domain.training_keys import PublicTrainingKeys


@dataclass(frozen=True, slots=True)
class Expulsion:
    """What became of a device's training keys."""

    keys_destroyed: bool
    removal_ordered: bool


def store_keys(connection: Connection, device_id: str, keys: PublicTrainingKeys, now: datetime) -> None:
    """Put a device's keys in place of those it had, and let the node in if the person has consented.

    Raises:
        ProblemError: Another device has one of the keys.
    """
    held = repository.find_training_keys(connection, device_id)
    if held is None or held.keys != keys:
        expel_node(connection, device_id, now)
        if not repository.add_training_keys(connection, device_id, keys):
            raise ProblemError(Problem.KEYS_TAKEN, "make new keys: another device has one of these")
    consent = last_entry(connection, device_id, Purpose.TRAINING)
    if consent is not None and consent.given:
        admit_node(connection, device_id, now)


def admit_node(connection: Connection, device_id: str, now: datetime) -> None:
    """Order that a device's node is let in, once; without keys there is nothing to let in yet."""
    held = repository.find_training_keys(connection, device_id)
    if held is not None and held.registration is None:
        order = RegisterNode(base64.b64encode(held.keys.node_key).decode())
        repository.set_registration(connection, device_id, place_order(connection, order, now))


def expel_node(connection: Connection, device_id: str, now: datetime) -> Expulsion:
    """Order that a device's node is removed, if it was let in, and destroy its keys."""
    held = repository.find_training_keys(connection, device_id)
    if held is None:
        return Expulsion(keys_destroyed=False, removal_ordered=False)
    if held.registration is not None:
        place_order(connection, RemoveNode(held.registration), now)
    repository.remove_training_keys(connection, device_id)
    return Expulsion(keys_destroyed=True, removal_ordered=held.registration is not None)
