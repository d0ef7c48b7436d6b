"""Randomisations as the statistics have them, written down anew from the papers."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from models.drift.histogram import Channel, Histogram, draw_counts


def randomised_response(size: int, epsilon: float) -> Channel:
    kept = math.exp(epsilon) / (math.exp(epsilon) + size - 1)
    return Channel(kept, (1 - kept) / (size - 1), exclusive=True)


def unary_encoding(epsilon: float) -> Channel:
    return Channel(0.5, 1 / (math.exp(epsilon) + 1), exclusive=False)


def observe(
    values: Sequence[str], shares: Sequence[float], reports: int, channel: Channel, rng: np.random.Generator
) -> Histogram:
    counts = draw_counts(np.array(shares), reports, channel, 1, rng)[0]
    return Histogram(dict(zip(values, counts.tolist(), strict=True)), reports, channel)
