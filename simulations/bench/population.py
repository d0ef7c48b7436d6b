"""Memory of a simulation that holds 10,000 devices: all of its processes together, against the limit set for it."""

from __future__ import annotations

import os
import sys
import tempfile
from dataclasses import replace
from multiprocessing import active_children
from pathlib import Path

import numpy as np
import torch

from fl_server.aggregation import UpdateSum
from fl_server.collecting import Clock, Replies, Waiting, fold_replies
from models.corpus.generator import generate_calls
from models.detector.classifier import Classifier
from models.detector.embedding import quantise_rows
from models.detector.parameters import read_parameters
from models.domain.call import Call, Label
from models.domain.round import ReplyFate
from models.privacy.vectors import flatten
from models.text.ngrams import NgramScheme
from simulations.bench.device_calls import CALLS, CLIP_NORM, COHORT, DIMENSIONS, WORDS
from simulations.bench.devices import DEADLINE_SECONDS, TASK
from simulations.bench.row import Row, compare, print_rows
from simulations.devices import DeviceWorld
from simulations.population import Population
from simulations.workers import WorkerGrid

DEVICES, ROUNDS, GENERATED = 10_000, 2, 2_000

LIMIT_MIB = 2048.0


def measure() -> list[Row]:
    """Return one row: the most memory that each process ever had, added up."""
    generator = np.random.default_rng(1)
    scheme = NgramScheme(buckets=50_000)
    table = generator.normal(size=(scheme.buckets + 1, DIMENSIONS)).astype(np.float32)
    with tempfile.TemporaryDirectory() as folder:
        # The calls stay in this process, as they do in a run: its report is made of them.
        dealt = _dealt_calls()
        world = DeviceWorld(Population(dealt, quantise_rows(scheme, table)), Path(folder) / "devices.sqlite3")
        with WorkerGrid(world.build_app, os.cpu_count() or 1, DEVICES) as grid:
            _run_rounds(grid)
            workers = [child.pid for child in active_children() if child.pid is not None]
            held = sum(_peak_mib(process) for process in (os.getpid(), *workers))
    return [compare("held_10000_devices", "MiB", held, "the limit", LIMIT_MIB)]


def _dealt_calls() -> list[list[Call]]:
    """Return each device's calls: texts of 51 words, all of them objects of their own."""
    words = sorted({word for call in generate_calls(GENERATED, 1) for word in call.transcript.split()})
    draws = np.random.default_rng(2).integers(len(words), size=(DEVICES, CALLS, WORDS))
    return [
        [
            Call(f"{device} {row}", Label(row % 2), text=" ".join(words[at] for at in call))
            for row, call in enumerate(own)
        ]
        for device, own in enumerate(draws)
    ]


def _run_rounds(grid: WorkerGrid) -> None:
    torch.manual_seed(1)
    model, generator = read_parameters(Classifier(DIMENSIONS)), np.random.default_rng(3)
    size = flatten(model).size
    for number in range(1, ROUNDS + 1):
        cohort = generator.choice(grid.get_node_ids(), COHORT, replace=False).tolist()
        task = replace(TASK, round_number=number)
        replies = Replies(grid, cohort, model, task, Waiting(DEADLINE_SECONDS), Clock(pause=grid.pause))
        fates = fold_replies(replies, COHORT, UpdateSum(size, CLIP_NORM), size, number)
        assert fates == {ReplyFate.FOLDED: COHORT}, fates


def _peak_mib(process: int) -> float:
    """Return the most memory that a process ever had, as Linux tells it."""
    status = Path(f"/proc/{process}/status").read_text()
    (kibibytes,) = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")]
    return int(kibibytes) / 1024


def _own_settings() -> dict[str, str]:
    """Return this process's environment without the bench's settings of malloc, which trade memory for speed."""
    return {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}


if __name__ == "__main__":
    if _own_settings() != dict(os.environ):
        command = [sys.executable, "-W", "ignore", "-m", "simulations.bench.population"]
        os.execve(sys.executable, command, _own_settings())  # noqa: S606
    print_rows(measure())
