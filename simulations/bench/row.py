"""A measured row, and how two things are timed fairly."""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

FULL = "--full"
"""The argument that a group of measurements gets for its longer tables."""


@dataclass(frozen=True, slots=True)
class Row:
    """A figure beside its peer's, measured in the same run.

    Attributes:
        name: Stable; scripts read it.
        value: Ours, in ``unit``.
        ratio: ``value`` over ``peer_value``; ``None`` where the peer couldn't be measured.
        against: The peer, or why there is none.
    """

    name: str
    value: float
    unit: str
    ratio: float | None
    against: str
    peer_value: float | None


def compare(name: str, unit: str, value: float, against: str, peer_value: float | None) -> Row:
    """Return the row of a value beside its peer's."""
    return Row(name, value, unit, None if peer_value is None else value / peer_value, against, peer_value)


def median_seconds(works: Sequence[Callable[[], object]], repeats: int) -> list[float]:
    """Return the median time of each work. They take turns, so that a busy moment hits all alike."""
    taken: list[list[float]] = [[] for _ in works]
    for _ in range(repeats):
        for work, times in zip(works, taken, strict=True):
            started = time.perf_counter()
            work()
            times.append(time.perf_counter() - started)
    # The first turn warms caches and allocators and counts for nobody.
    return [statistics.median(times[1:] or times) for times in taken]


def median_pair(
    ours: Callable[[], object], peers: Callable[[], object], seconds: float, least: int, most: int
) -> tuple[float, float]:
    """Return the times of the one pair whose ratio is the median of all pairs'.

    The two take turns, so that a busy moment hits both; the first turn warms caches and allocators and counts for
    nobody. They go on until ``seconds`` have gone by, but take at least ``least`` and at most ``most`` turns.
    """
    _times(ours, peers)
    pairs: list[tuple[float, float]] = []
    while len(pairs) < least or (len(pairs) < most and sum(map(sum, pairs)) < seconds):
        pairs.append(_times(ours, peers))
    return sorted(pairs, key=lambda pair: pair[0] / pair[1])[len(pairs) // 2]


def _times(ours: Callable[[], object], peers: Callable[[], object]) -> tuple[float, float]:
    start = time.perf_counter()
    ours()
    between = time.perf_counter()
    peers()
    return between - start, time.perf_counter() - between


def full_is_asked() -> bool:
    """Say whether this process measures the longer tables of ``bench --full`` too."""
    return FULL in sys.argv[1:]


def print_rows(rows: Sequence[Row]) -> None:
    """Print rows as one line of JSON, for the process that asked."""
    sys.stdout.write(json.dumps([asdict(row) for row in rows]) + "\n")
