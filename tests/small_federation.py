"""A federation small enough to run in a test: real ServerApp and ClientApp, real network, few words of few numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from flwr.app import Context, Message, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid

from fl_client.app import CallLoader, build_client_app
from fl_client.guard import simulation_guard
from fl_client.training import LabelledWords
from fl_server.acceptance import AcceptanceScore
from fl_server.aggregation import ServerStep
from fl_server.collecting import Clock
from fl_server.federation import Federation, Surroundings
from fl_server.rounds import FederationPlan
from models.detector.classifier import Classifier
from models.detector.parameters import read_parameters
from models.domain.privacy import CallPrivacy, PersonPrivacy
from models.domain.round import ReplyFate, RoundReport
from models.domain.training import LocalTask
from models.privacy.vectors import Arrays
from simulations.grid import InProcessGrid, IsLost, nobody_is_lost

DIMENSIONS = 8
DEVICES = 6

CALL_PRIVACY = CallPrivacy(clip_norm=1.0, noise_multiplier=1.0, batch_calls=4, delta=1e-5)

TASK = LocalTask(
    round_number=1,
    epochs=1,
    batch_calls=4,
    learning_rate=0.5,
    vishing_weight=1.0,
    shortest_words=2,
    longest_words=6,
    clip_norm=1.0,
    call_privacy=None,
    seed=7,
)

PERSON_PRIVACY = PersonPrivacy(
    clip_norm=1.0, noise_multiplier=1.0, cohort=4, population=DEVICES, rounds=3, participations=3, delta=1e-6
)

PLAN = FederationPlan(
    rounds=3,
    sampling_rate=4 / DEVICES,
    quorum=1,
    deadline_seconds=10.0,
    task=TASK,
    step=ServerStep(learning_rate=1.0, momentum=0.9),
    person_privacy=PERSON_PRIVACY,
    simulated=None,
)

EVERYBODY = replace(PLAN, sampling_rate=1.0, person_privacy=replace(PERSON_PRIVACY, cohort=DEVICES, population=DEVICES))
"""The plan that draws every device in every round."""


def start_parameters() -> Arrays:
    """Return a network's parameters before any training."""
    torch.manual_seed(0)
    return read_parameters(Classifier(DIMENSIONS))


BAD_MODELS = {
    "not finite": start_parameters() | {"head.output.bias": np.full(1, np.nan, np.float32)},
    "another network's": {"weights": np.zeros((4, DIMENSIONS), np.float32)},
    "for other words": read_parameters(Classifier(DIMENSIONS + 1)),
    "of no array": {},
}
"""Models that can't be trained from."""

PARAMETERS = sum(array.size for array in start_parameters().values())


def some_calls(count: int, seed: int = 0) -> list[LabelledWords]:
    """Return labelled calls of random numbers in the place of embedded words, each longer than the task cuts."""
    generator = np.random.default_rng(seed)
    return [
        LabelledWords(generator.normal(size=(8, DIMENSIONS)).astype(np.float32), label % 2) for label in range(count)
    ]


def calls_of(device: int) -> list[LabelledWords]:
    """Return a device's calls: device 0 has none, each later one has one more."""
    return some_calls(device, seed=device)


def calls_but_of(broken: int) -> CallLoader:
    """Return what loads devices' calls, and fails on one of them."""

    def load(device: int) -> list[LabelledWords]:
        if device == broken:
            raise RuntimeError("a device's own trouble")
        return calls_of(device)

    return load


class TestClock:
    """Time that passes only when somebody waits."""

    __test__ = False

    def __init__(self) -> None:
        self.time = 0.0

    def clock(self) -> Clock:
        """Return the clock that the round loop reads."""
        return Clock(now=lambda: self.time, pause=self._pause)

    def _pause(self, seconds: float) -> None:
        self.time += seconds


def judge(model: Arrays) -> AcceptanceScore:
    """Return figures that only the same model gives."""
    total = float(sum(np.abs(array.astype(np.float64)).sum() for array in model.values()))
    return AcceptanceScore(f1=0.5, false_alarms_per_1000=0.0, loss=total, loss_error=0.1)


@dataclass
class Watcher:
    """Remembers what a federation says of its rounds."""

    before_saving: list[RoundReport] = field(default_factory=list)
    published: list[RoundReport] = field(default_factory=list)

    def surroundings(self) -> Surroundings:
        """Return surroundings that tell this watcher."""
        return Surroundings(
            judge=judge,
            before_saving=lambda report, _model: self.before_saving.append(report),
            publish=self.published.append,
            clock=TestClock().clock(),
        )


Spoil = Callable[[Message], Message | None]
"""Changes an honest reply in place, or gives another one; it may raise."""


def spoiled_app(spoils: Mapping[int, Spoil]) -> ClientApp:
    """Return the real ClientApp, but for the nodes named: their honest replies are spoiled on the way out."""
    honest, app = build_client_app(calls_of, simulation_guard()), ClientApp()

    @app.train()
    def train(message: Message, context: Context) -> Message:
        reply = honest(message, context)
        if context.node_id in spoils:
            return spoils[context.node_id](reply) or reply
        return reply

    return app


def small_grid(app: ClientApp | None = None, devices: int = DEVICES, is_lost: IsLost = nobody_is_lost) -> InProcessGrid:
    """Return a grid of devices that run the real ClientApp, or the one given."""
    return InProcessGrid(app or build_client_app(calls_of, simulation_guard()), devices, is_lost)


def run_federation(folder: Path, plan: FederationPlan, grid: Grid, watcher: Watcher | None = None) -> Federation:
    """Run a federation to its end, or go on with it."""
    federation = Federation(plan, start_parameters(), folder, (watcher or Watcher()).surroundings())
    federation.run(grid)
    return federation


def fates_of_one_round(folder: Path, plan: FederationPlan, grid: InProcessGrid) -> dict[ReplyFate, int]:
    """Run one round in a new folder and return its devices' fates."""
    watcher = Watcher()
    run_federation(folder, replace(plan, rounds=1), grid, watcher)
    return watcher.published[0].fates


def same_arrays(first: Arrays, second: Arrays) -> bool:
    """Say whether two models are equal bit for bit."""
    return list(first) == list(second) and all(first[name].tobytes() == second[name].tobytes() for name in first)


def empty_context(node_id: int = 1, device: int = 0) -> Context:
    """Return a device's fresh Flower context."""
    return Context(1, node_id, {"partition-id": device}, RecordDict(), {})
