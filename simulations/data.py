"""The calls of a simulated world: the server's own, its acceptance set, the devices' and those kept apart."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from models.corpus.generator import generate_calls
from models.corpus.reader import read_calls
from models.corpus.scenario import Scenario, load_scenarios
from models.corpus.splits import Split, split_by_group
from models.domain.call import Call, Label
from models.errors import CallFileError, SplitError
from simulations.scenarios import Drift, Worlds, deal_scenarios
from simulations.settings import RunSettings

SERVER_CALLS, ACCEPTANCE_CALLS, CALLS_A_DEVICE = 3000, 900, 8

FEWEST_CALLS = 25
"""Of people's: from fewer none could be kept apart with both labels on both sides."""

VISHING_AMONG_PEOPLE = 0.25
"""Share of people's calls that are vishing: far above life's, or a small population would hold none."""

VISHING_IN_ACCEPTANCE = 0.35

HARD_SHARE = 0.2
"""Of the normal calls that people receive: calls of banks, offices and couriers among everyday talk. An assumption."""

KEPT_APART_SHARE = 0.2
"""Of people's calls: no device trains on them, nor on a near-duplicate of one."""


@dataclass(frozen=True, slots=True)
class WorldCalls:
    """Who has which calls.

    Attributes:
        server: The base detector learns from these.
        acceptance: The server calibrates, chooses and accepts models by these.
        devices: On people's phones.
        kept_apart: People's too, but on no phone: before and after are measured on these.
    """

    server: list[Call]
    acceptance: list[Call]
    devices: list[Call]
    kept_apart: list[Call]


def gather_calls(settings: RunSettings, drift: Drift) -> WorldCalls:
    """Return a world's calls: people's are synthetic, or the user's own where a file is given.

    Raises:
        CallFileError: The file can't be read, or can't be split with both labels on both sides.
    """
    worlds = deal_scenarios(load_scenarios(), drift.new_type, settings.seed)
    people = _people_calls(settings, worlds)
    devices, kept_apart = _keep_apart(people, settings)
    return WorldCalls(
        server=generate_calls(
            SERVER_CALLS, settings.seed, scenarios=_server_scenarios(settings, worlds), exclude_types=(drift.new_type,)
        ),
        acceptance=_received_calls(worlds.acceptance, ACCEPTANCE_CALLS, settings.seed + 1, VISHING_IN_ACCEPTANCE),
        devices=list(devices),
        kept_apart=list(kept_apart),
    )


def _keep_apart(people: Sequence[Call], settings: RunSettings) -> Split:
    try:
        return split_by_group(people, KEPT_APART_SHARE, settings.seed)
    except SplitError as error:
        if settings.calls is None:
            raise
        raise CallFileError(settings.calls, None, str(error)) from error


def _people_calls(settings: RunSettings, worlds: Worlds) -> list[Call]:
    if settings.calls is not None:
        return read_calls(settings.calls)
    count = max(FEWEST_CALLS, round(CALLS_A_DEVICE * settings.devices / (1 - KEPT_APART_SHARE)))
    return _received_calls(worlds.people, count, settings.seed + 2, VISHING_AMONG_PEOPLE)


def _server_scenarios(settings: RunSettings, worlds: Worlds) -> tuple[Scenario, ...]:
    """Where people's calls are the user's own, all synthetic scenarios but the acceptance set's are the server's."""
    return worlds.server if settings.calls is None else (*worlds.server, *worlds.people)


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
