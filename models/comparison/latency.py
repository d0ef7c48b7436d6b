"""How long one call takes, on one thread."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from models.comparison.peer import Fitted
from models.detector.cut_calls import Words
from models.domain.call import Call
from models.text.clean import split_words

WORDS = 107
"""Words of a call: the paper's at 60 s."""

_MOST_CALLS = 200
_WARM_UP = 5


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds from words to the calibrated score, one call at a time."""

    median: float
    p95: float


def measure_latency(model: Fitted, calls: Sequence[Call]) -> tuple[Latency, Words]:
    """Return the latency over calls of `WORDS` words, no call twice, and one such call."""
    samples = [_of_length(split_words(call.transcript)) for call in calls[:_MOST_CALLS]]
    with one_thread():
        for words in samples[:_WARM_UP]:
            model.score([words])
        times = [_milliseconds(model, words) for words in samples]
    return Latency(float(np.median(times)), float(np.quantile(times, 0.95))), samples[0]


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch and the libraries for matrices use one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1):
            yield
    finally:
        torch.set_num_threads(threads)


def _of_length(words: Words) -> Words:
    repeated = [*words] * (1 + WORDS // max(len(words), 1))
    return repeated[:WORDS]


def _milliseconds(model: Fitted, words: Words) -> float:
    started = time.perf_counter_ns()
    model.score([words])
    return (time.perf_counter_ns() - started) / 1e6
