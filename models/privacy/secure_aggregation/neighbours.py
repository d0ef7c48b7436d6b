"""The graph of neighbours, as every device can compute it from the roster: nobody chooses who is whose neighbour.

Source: Bell et al. 2020 (SecAgg+), section 3.2: a Harary graph over a random order of the devices.
"""

from __future__ import annotations

import hashlib


def draw_neighbours(roster_digest: bytes, devices: int, degree: int) -> list[tuple[int, ...]]:
    """Return each device's neighbours, by places in the roster.

    The devices stand on a ring, in an order that follows from the roster's digest; each one's neighbours are the
    nearest on both sides. A degree of ``devices - 1`` makes everybody everybody's neighbour.

    Args:
        roster_digest: 32 bytes.
        devices: In the roster.
        degree: Neighbours of each; even, or ``devices - 1``.
    """
    if degree == devices - 1:
        return [tuple(other for other in range(devices) if other != own) for own in range(devices)]
    order = _order(roster_digest, devices)
    steps = [step for step in range(-(degree // 2), degree // 2 + 1) if step]
    neighbours: list[tuple[int, ...]] = [()] * devices
    for position, place in enumerate(order):
        neighbours[place] = tuple(sorted(order[(position + step) % devices] for step in steps))
    return neighbours


def _order(roster_digest: bytes, devices: int) -> list[int]:
    """Order the places by a hash of each: as random as the digest, and the same on every machine."""
    hashes = [hashlib.sha256(b"order" + roster_digest + place.to_bytes(4)).digest() for place in range(devices)]
    return sorted(range(devices), key=hashes.__getitem__)
