"""Names of what travels between server and device in a round. Nothing else does."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from models.domain.privacy import CallPrivacy
from models.domain.secure_aggregation import SecureTerms, ThreatModel
from models.domain.training import LocalTask
from models.errors import TaskRefusedError, UsageError

MODEL = "model"
"""Record of the global parameters in a request."""

TASK = "task"
"""Record of the local task in a request."""

UPDATE = "update"
"""Record of the update in a reply."""

VECTOR = "vector"
"""The one array of an update: all its numbers, float32, shape (P,), in the order of the request's model."""

METRICS = "metrics"
"""Record in a reply that Flower's message format asks for; it says the constant 1 for every device."""

SECURE = "secure"
"""Record of what a stage of secure aggregation says, both ways."""

REFUSED = 6
"""Code of a device's error reply where it refuses: Flower's for a mod whose precondition fails. It says no more."""

TaskValues = dict[str, int | float | str]


class SecureStage(StrEnum):
    """Stages of a round under secure aggregation, in order; each is Flower's type of its messages, too."""

    KEYS = "query.keys"
    SHARES = "query.shares"
    MASKED = "train.masked"
    SURVIVORS = "query.survivors"
    UNMASK = "query.unmask"


def task_to_values(task: LocalTask) -> TaskValues:
    """Return a task as numbers by name; what the task doesn't have is left out."""
    values: TaskValues = {
        "round": task.round_number,
        "epochs": task.epochs,
        "batch-calls": task.batch_calls,
        "learning-rate": task.learning_rate,
        "vishing-weight": task.vishing_weight,
        "shortest-words": task.shortest_words,
        "longest-words": task.longest_words,
        "release": task.release,
        "separation": task.separation,
    }
    if task.participations is not None:
        values["participations"] = task.participations
    if task.clip_norm is not None:
        values["clip-norm"] = task.clip_norm
    if task.seed is not None:
        values["seed"] = task.seed
    if task.call_privacy is not None:
        values |= _call_privacy_to_values(task.call_privacy)
    if task.secure is not None:
        values |= _terms_to_values(task.secure)
    return values


def task_from_values(values: Mapping[str, object]) -> LocalTask:
    """Return the task that ``task_to_values`` wrote.

    Raises:
        TaskRefusedError: A value is missing, unknown, of another type or out of range; the device trains nothing.
    """
    said = _Said(values)
    try:
        task = LocalTask(
            round_number=said.whole("round"),
            epochs=said.whole("epochs"),
            batch_calls=said.whole("batch-calls"),
            learning_rate=said.number("learning-rate"),
            vishing_weight=said.number("vishing-weight"),
            shortest_words=said.whole("shortest-words"),
            longest_words=said.whole("longest-words"),
            clip_norm=said.number("clip-norm") if "clip-norm" in values else None,
            call_privacy=_call_privacy_from(said) if said.has("call-") else None,
            seed=said.whole("seed") if "seed" in values else None,
            release=said.whole("release"),
            participations=said.whole("participations") if "participations" in values else None,
            separation=said.whole("separation"),
            secure=_terms_from(said) if said.has("secure-") else None,
        )
    except UsageError as error:
        raise TaskRefusedError(f"the task can't be carried out: {error}") from error
    # Whatever a device passed over could have been a protection.
    if values.keys() != task_to_values(task).keys():
        raise TaskRefusedError("the task says more than this device understands")
    return task


class _Said:
    """A task's values, asked for by name and type. What is asked for and isn't so is refused."""

    def __init__(self, values: Mapping[str, object]) -> None:
        self._values = values

    def has(self, prefix: str) -> bool:
        """Say whether any name begins so: one that names a part only is refused, never trained without protection."""
        return any(isinstance(name, str) and name.startswith(prefix) for name in self._values)

    def whole(self, name: str) -> int:
        """Return a whole number of 64 bits, which is what travels."""
        value = self._values.get(name)
        if type(value) is not int or not -(2**63) <= value < 2**63:
            raise TaskRefusedError(f"the task's {name} is no whole number")
        return value

    def number(self, name: str) -> float:
        """Return a number."""
        value = self._values.get(name)
        if type(value) is int and abs(value) < 2**63:
            return float(value)
        if not isinstance(value, float):
            raise TaskRefusedError(f"the task's {name} is no number")
        return value

    def text(self, name: str) -> str:
        """Return a text."""
        value = self._values.get(name)
        if not isinstance(value, str):
            raise TaskRefusedError(f"the task's {name} is no text")
        return value


def _call_privacy_to_values(privacy: CallPrivacy) -> TaskValues:
    return {
        "call-clip-norm": privacy.clip_norm,
        "call-noise-multiplier": privacy.noise_multiplier,
        "call-batch": privacy.batch_calls,
        "call-delta": privacy.delta,
    }


def _call_privacy_from(said: _Said) -> CallPrivacy:
    return CallPrivacy(
        clip_norm=said.number("call-clip-norm"),
        noise_multiplier=said.number("call-noise-multiplier"),
        batch_calls=said.whole("call-batch"),
        delta=said.number("call-delta"),
    )


def _terms_to_values(terms: SecureTerms) -> TaskValues:
    return {
        "secure-threat-model": terms.threat_model.value,
        "secure-expected-dropout": terms.expected_dropout,
        "secure-quorum": terms.quorum,
        "secure-most-devices": terms.most_devices,
        "secure-noise-deviation": terms.noise_deviation,
    }


def _terms_from(said: _Said) -> SecureTerms:
    threat_model = said.text("secure-threat-model")
    if threat_model not in set(ThreatModel):
        raise TaskRefusedError("the task's threat model is unknown")
    return SecureTerms(
        threat_model=ThreatModel(threat_model),
        expected_dropout=said.number("secure-expected-dropout"),
        quorum=said.whole("secure-quorum"),
        most_devices=said.whole("secure-most-devices"),
        noise_deviation=said.number("secure-noise-deviation"),
    )
