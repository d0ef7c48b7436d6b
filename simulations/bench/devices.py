"""Simulated devices a second: the whole way over the grid against the bare training steps, on one thread."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import torch

from fl_client.app import build_client_app
from fl_client.guard import simulation_guard
from fl_client.training import LabelledWords, train_on_device
from fl_server.aggregation import UpdateSum
from fl_server.collecting import Clock, Replies, Waiting, fold_replies
from models.detector.classifier import Classifier
from models.detector.parameters import read_parameters
from models.domain.training import LocalTask
from simulations.bench.row import Row, compare, print_rows
from simulations.grid import InProcessGrid

DEVICES, CALLS, WORDS, DIMENSIONS = 100, 8, 51, 64

TASK = LocalTask(
    round_number=1,
    epochs=1,
    batch_calls=CALLS,
    learning_rate=0.1,
    vishing_weight=1.0,
    shortest_words=WORDS,
    longest_words=WORDS,
    clip_norm=1.0,
    call_privacy=None,
    seed=1,
)


def measure() -> list[Row]:
    """Return one row: a round's devices a second."""
    torch.set_num_threads(1)
    generator = np.random.default_rng(1)
    embedded = generator.normal(size=(CALLS, WORDS, DIMENSIONS)).astype(np.float32)
    calls = [LabelledWords(words, place % 2) for place, words in enumerate(embedded)]
    model = read_parameters(Classifier(DIMENSIONS))

    def whole_round() -> None:
        grid = InProcessGrid(build_client_app(lambda _: calls, simulation_guard()), DEVICES)
        replies = Replies(grid, grid.get_node_ids(), model, TASK, Waiting(60.0), Clock())
        fold_replies(replies, DEVICES, UpdateSum(model, TASK.clip_norm), model, TASK.round_number)

    def bare_training() -> None:
        for device in range(DEVICES):
            train_on_device(model, calls, TASK, device)

    bare_training()
    return [
        compare(
            "simulated_devices_per_second",
            "devices/s",
            DEVICES / _seconds(whole_round),
            "the bare training steps",
            DEVICES / _seconds(bare_training),
        )
    ]


def _seconds(work: Callable[[], None]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


if __name__ == "__main__":
    print_rows(measure())
