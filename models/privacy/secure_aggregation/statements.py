"""What devices and server say to each other about shares and survivors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from models.privacy.secure_aggregation.roster import Roster
from models.privacy.secure_aggregation.session import hash_parts


@dataclass(frozen=True, slots=True)
class SharedSecrets:
    """A device's secrets on their way to its neighbours.

    Attributes:
        commitment: By which the server sees whether a seed that was rebuilt is the right one.
        boxes: A sealed box for each neighbour, by place.
    """

    commitment: bytes
    boxes: Mapping[int, bytes]


@dataclass(frozen=True, slots=True)
class UnmaskRequest:
    """What the server asks each survivor for.

    Attributes:
        survivors: Places whose vectors are in the sum, sorted: shares of their seeds are asked for.
        dropped: Places that shared secrets and sent no vector: shares of their mask keys are asked for.
        signatures: Of the survivors' list, by place; empty against an honest-but-curious server.
    """

    survivors: Sequence[int]
    dropped: Sequence[int]
    signatures: Mapping[int, bytes]


def commit_seed(seed: bytes) -> bytes:
    """Return a commitment to a seed. The seed has 256 random bits, so its hash hides it."""
    return hash_parts([b"seed", seed])


def state_survivors(roster: Roster, survivors: Sequence[int]) -> bytes:
    """Return what devices sign before they unmask: round and model (in the session), roster, survivors."""
    places = b"".join(place.to_bytes(4) for place in survivors)
    return hash_parts([b"survivors", roster.session, roster.digest, places])
