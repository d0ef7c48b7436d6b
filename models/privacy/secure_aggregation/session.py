"""What a round is about: devices sign its digest with their keys, so that no word of one round counts in another."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from models.domain.secure_aggregation import SecureTerms

PROTOCOL = b"hearsay secure aggregation/2"
"""In everything that is signed, agreed on or committed to: devices and servers of two versions take part in no common
round, and see so at the first stage."""


@dataclass(frozen=True, slots=True)
class Session:
    """One attempt at one round.

    Attributes:
        round_number: Counts from 1.
        model_digest: Of the global model that devices will be sent.
        task_digest: Of everything that devices are asked to do.
        terms: What server and devices agree on.
    """

    round_number: int
    model_digest: bytes
    task_digest: bytes
    terms: SecureTerms

    def digest(self) -> bytes:
        """Return 32 bytes that stand for all of it."""
        said = json.dumps(asdict(self.terms), sort_keys=True).encode()
        return hash_parts([b"session", self.round_number.to_bytes(8), self.model_digest, self.task_digest, said])


def digest_model(model: Mapping[str, NDArray[np.float32]]) -> bytes:
    """Return the digest of named arrays: names, order, shapes, types and every bit of them."""
    described = [[name, list(array.shape), array.dtype.str] for name, array in model.items()]
    arrays = (np.ascontiguousarray(array).tobytes() for array in model.values())
    return hash_parts([b"model", json.dumps(described).encode(), *arrays])


def digest_task(values: Mapping[str, int | float | str]) -> bytes:
    """Return the digest of a task as it travels."""
    return hash_parts([b"task", json.dumps(dict(values), sort_keys=True).encode()])


def hash_parts(parts: Iterable[bytes]) -> bytes:
    """Return SHA-256 of parts, each with its length before it: no two lists of parts look alike."""
    digest = hashlib.sha256(PROTOCOL)
    for part in parts:
        digest.update(len(part).to_bytes(8))
        digest.update(part)
    return digest.digest()
