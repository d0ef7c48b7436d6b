"""Names of what travels between server and device in a round. Nothing else does."""

from __future__ import annotations

from enum import StrEnum

from models.domain.privacy import CallPrivacy
from models.domain.secure_aggregation import SecureTerms, ThreatModel
from models.domain.training import LocalTask
from models.errors import UsageError

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


def task_from_values(values: TaskValues) -> LocalTask:
    """Return the task that ``task_to_values`` wrote.

    Raises:
        KeyError: A value is missing.
        UsageError: A value is out of range; the device trains nothing.
    """
    clip_norm, seed, participations = (values.get(name) for name in ("clip-norm", "seed", "participations"))
    return LocalTask(
        round_number=int(values["round"]),
        epochs=int(values["epochs"]),
        batch_calls=int(values["batch-calls"]),
        learning_rate=float(values["learning-rate"]),
        vishing_weight=float(values["vishing-weight"]),
        shortest_words=int(values["shortest-words"]),
        longest_words=int(values["longest-words"]),
        clip_norm=None if clip_norm is None else float(clip_norm),
        call_privacy=_call_privacy_from_values(values),
        seed=None if seed is None else int(seed),
        release=int(values["release"]),
        participations=None if participations is None else int(participations),
        separation=int(values["separation"]),
        secure=_terms_from_values(values),
    )


def _call_privacy_to_values(privacy: CallPrivacy) -> TaskValues:
    return {
        "call-clip-norm": privacy.clip_norm,
        "call-noise-multiplier": privacy.noise_multiplier,
        "call-batch": privacy.batch_calls,
        "call-delta": privacy.delta,
    }


def _call_privacy_from_values(values: TaskValues) -> CallPrivacy | None:
    if not any(name.startswith("call-") for name in values):
        return None  # a task that names only some of the values is refused, never trained without protection
    return CallPrivacy(
        clip_norm=float(values["call-clip-norm"]),
        noise_multiplier=float(values["call-noise-multiplier"]),
        batch_calls=int(values["call-batch"]),
        delta=float(values["call-delta"]),
    )


def _terms_to_values(terms: SecureTerms) -> TaskValues:
    return {
        "secure-threat-model": terms.threat_model.value,
        "secure-expected-dropout": terms.expected_dropout,
        "secure-quorum": terms.quorum,
        "secure-most-devices": terms.most_devices,
        "secure-noise-deviation": terms.noise_deviation,
    }


def _terms_from_values(values: TaskValues) -> SecureTerms | None:
    if not any(name.startswith("secure-") for name in values):
        return None
    threat_model = str(values["secure-threat-model"])
    if threat_model not in set(ThreatModel):
        raise UsageError(f"unknown threat model {threat_model!r}")
    return SecureTerms(
        threat_model=ThreatModel(threat_model),
        expected_dropout=float(values["secure-expected-dropout"]),
        quorum=int(values["secure-quorum"]),
        most_devices=int(values["secure-most-devices"]),
        noise_deviation=float(values["secure-noise-deviation"]),
    )
