"""Simulated devices a second: the whole way over the grid against the bare training steps, on one thread."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import torch
from flwr.clientapp import ClientApp

from fl_client.app import build_client_app
from fl_client.guard import simulation_guard
from fl_client.ledger import LedgerStore
from fl_client.training import LabelledWords, train_on_device
from fl_server.aggregation import UpdateSum
from fl_server.collecting import Clock, Replies, Waiting, fold_replies
from models.detector.classifier import Classifier
from models.detector.parameters import read_parameters
from models.domain.privacy import PersonPrivacy
from models.domain.round import ReplyFate
from models.domain.training import LocalTask
from models.privacy.randomness import SystemGaussian
from models.privacy.vectors import flatten, unflatten
from simulations.bench.device_calls import (
    CALLS,
    CLIP_NORM,
    COHORT,
    DIMENSIONS,
    LEARNING_RATE,
    NOISE_MULTIPLIER,
    WORDS,
    embedded_calls,
    labels,
)
from simulations.bench.row import Row, compare, median_pair, print_rows
from simulations.grid import InProcessGrid, SimulatedGrid

TASK = LocalTask(
    round_number=1,
    epochs=1,
    batch_calls=CALLS,
    learning_rate=LEARNING_RATE,
    vishing_weight=1.0,
    shortest_words=WORDS,
    longest_words=WORDS,
    clip_norm=CLIP_NORM,
    call_privacy=None,
    seed=1,
)

PRIVACY = PersonPrivacy(
    clip_norm=CLIP_NORM,
    noise_multiplier=NOISE_MULTIPLIER,
    cohort=COHORT,
    population=100 * COHORT,
    rounds=100,
    participations=100,
    delta=1e-6,
)

DEADLINE_SECONDS = 600.0

LEAST_TURNS, MOST_TURNS, SECONDS = 1, 15, 3.0


def labelled_calls() -> list[list[LabelledWords]]:
    """Return each device's calls."""
    of_calls = labels()
    return [
        [LabelledWords(words, int(label)) for words, label in zip(device, of_calls, strict=True)]
        for device in embedded_calls()
    ]


def build_app(ledgers: Path) -> ClientApp:
    """Return the devices' ClientApp as a run has it; this process trains on one thread from now on."""
    torch.set_num_threads(1)
    guard = simulation_guard(LedgerStore(ledgers, at_once=False))
    return build_client_app(labelled_calls().__getitem__, guard)


class Rounds:
    """Rounds with noise for persons over a grid, as the server runs them."""

    def __init__(self, grid: SimulatedGrid) -> None:
        torch.manual_seed(1)
        self._grid, self._model, self._number = grid, read_parameters(Classifier(DIMENSIONS)), 0

    def run(self) -> None:
        """Run a round: every device trains, the model moves."""
        self._number += 1
        model = flatten(self._model)
        task, total = replace(TASK, round_number=self._number), UpdateSum(model.size, CLIP_NORM)
        cohort, clock = list(self._grid.get_node_ids()), Clock(pause=self._grid.pause)
        replies = Replies(self._grid, cohort, self._model, task, Waiting(DEADLINE_SECONDS), clock)
        fates = fold_replies(replies, COHORT, total, model.size, self._number)
        assert fates == {ReplyFate.FOLDED: COHORT}, fates
        mean = total.private_mean(PRIVACY, SystemGaussian(), None)
        self._model = unflatten(model + mean, self._model)


def measure() -> list[Row]:
    """Return one row: a round's devices a second."""
    with tempfile.TemporaryDirectory() as folder:
        rounds = Rounds(InProcessGrid(build_app(Path(folder) / "devices.sqlite3"), COHORT))
        calls, model = labelled_calls(), read_parameters(Classifier(DIMENSIONS))

        def bare_training() -> None:
            for device in range(COHORT):
                train_on_device(model, calls[device], TASK, device)

        whole, bare = median_pair(rounds.run, bare_training, SECONDS, LEAST_TURNS, MOST_TURNS)
    return [row(whole, "the bare training steps, one core", bare)]


def row(seconds: float, against: str, peer_seconds: float | None) -> Row:
    """Return the row of a round's time beside a peer's."""
    peer = None if peer_seconds is None else COHORT / peer_seconds
    return compare("simulated_devices_per_second", "devices/s", COHORT / seconds, against, peer)


if __name__ == "__main__":
    print_rows(measure())
