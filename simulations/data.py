"""The calls of a simulated world: the server's own, its acceptance set, the devices' and those kept apart."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from models.corpus.generator import generate_calls
from models.corpus.reader import read_calls
from models.corpus.scenario import Scenario, load_scenarios
from models.corpus.splits import split_by_group
from models.domain.call import Call, Label
from simulations.scenarios import Drift, Worlds, deal_scenarios
from simulations.settings import RunSettings

SERVER_CALLS, ACCEPTANCE_CALLS, KEPT_APART_CALLS, CALLS_A_DEVICE = 2000, 900, 900, 8

VISHING_ON_DEVICES = 0.2
"""Share of the devices' calls that are vishing: far above life's, or a small population would hold none."""

VISHING_WHERE_MEASURED = 0.35

HARD_SHARE = 0.2
"""Of the normal calls that people receive: calls of banks, offices and couriers among everyday talk. An assumption."""

KEPT_APART_SHARE = 0.2
"""Of the user's own calls."""


@dataclass(frozen=True, slots=True)
class WorldCalls:
    """Who has which calls; no scenario (or group of near-duplicates) stands in two places."""

    server: list[Call]
    acceptance: list[Call]
    devices: list[Call]
    kept_apart: list[Call]


def gather_calls(settings: RunSettings, drift: Drift) -> WorldCalls:
    """Return a world's calls: synthetic ones, and the user's own on the devices where a file is given.

    Raises:
        CallFileError: The file can't be read, or can't be split with both labels on both sides.
    """
    worlds = deal_scenarios(load_scenarios(), settings.seed)
    if settings.calls is None:
        return WorldCalls(
            server=_server_calls(worlds.server, settings.seed, drift),
            acceptance=_measured_calls(worlds.acceptance, ACCEPTANCE_CALLS, settings.seed + 1),
            devices=_device_calls(worlds, settings),
            kept_apart=_measured_calls(worlds.kept_apart, KEPT_APART_CALLS, settings.seed + 3),
        )
    return _with_own_calls(settings.calls, worlds, settings.seed, drift)


def _with_own_calls(path: Path, worlds: Worlds, seed: int, drift: Drift) -> WorldCalls:
    devices, kept_apart = split_by_group(read_calls(path), KEPT_APART_SHARE, seed)
    # The devices' world is the user's own calls now, so all scenarios but the acceptance set's are the server's.
    server = (*worlds.server, *worlds.devices, *worlds.kept_apart)
    return WorldCalls(
        server=_server_calls(server, seed, drift),
        acceptance=_measured_calls(worlds.acceptance, ACCEPTANCE_CALLS, seed + 1),
        devices=list(devices),
        kept_apart=list(kept_apart),
    )


def _server_calls(scenarios: tuple[Scenario, ...], seed: int, drift: Drift) -> list[Call]:
    return generate_calls(SERVER_CALLS, seed, scenarios=scenarios, exclude_types=(drift.new_type,))


def _measured_calls(scenarios: tuple[Scenario, ...], count: int, seed: int) -> list[Call]:
    return _received_calls(scenarios, count, seed, VISHING_WHERE_MEASURED)


def _device_calls(worlds: Worlds, settings: RunSettings) -> list[Call]:
    count = CALLS_A_DEVICE * settings.devices
    return _received_calls(worlds.devices, count, settings.seed + 2, VISHING_ON_DEVICES)


def _received_calls(scenarios: Sequence[Scenario], count: int, seed: int, vishing_share: float) -> list[Call]:
    """Return calls in the mix in which people receive them, in random order."""
    vishing = round(count * vishing_share)
    hard = round((count - vishing) * HARD_SHARE)
    parts = (
        (vishing, [scenario for scenario in scenarios if scenario.label is Label.VISHING]),
        (hard, [scenario for scenario in scenarios if scenario.hard]),
        (count - vishing - hard, [s for s in scenarios if s.label is Label.NORMAL and not s.hard]),
    )
    calls = [
        call
        for number, of_part in parts
        if number
        for call in generate_calls(number, seed, scenarios=of_part, vishing_share=float(of_part[0].label))
    ]
    random.Random(seed).shuffle(calls)  # noqa: S311  a simulation's
    return calls
