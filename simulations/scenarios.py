"""What happens in a simulated world: which scam is new, and who has which of the authored scenarios."""

from __future__ import annotations

import itertools
import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from models.corpus.scenario import Scenario
from models.domain.call import ScamType
from models.errors import UsageError


@dataclass(frozen=True, slots=True)
class Drift:
    """A change of the world that the base detector hasn't seen.

    Attributes:
        name: As on the command line.
        title: One sentence for the report.
        new_type: The type of scam that appears on the devices only.
    """

    name: str
    title: str
    new_type: ScamType


DRIFTS = {
    drift.name: drift
    for drift in (
        Drift("new-messenger", "Messenger scams appear.", ScamType.MESSENGER),
        Drift("new-app", "Malicious-app scams appear.", ScamType.MALICIOUS_APP),
        Drift("new-ars", "Automated-call scams appear.", ScamType.ARS),
        Drift("new-agency", "Agency impersonation appears.", ScamType.AGENCY),
        Drift("new-loan", "Loan scams appear.", ScamType.LOAN),
    )
}
"""The drifts that can be simulated. Loan fraud led in 2024, agency impersonation in 2025."""

DEFAULT_DRIFT = "new-agency"


def drift_named(name: str) -> Drift:
    """Return a drift.

    Raises:
        UsageError: There is none of this name.
    """
    if name not in DRIFTS:
        raise UsageError(f"unknown scenario {name!r}; there are {', '.join(DRIFTS)}")
    return DRIFTS[name]


@dataclass(frozen=True, slots=True)
class Worlds:
    """Scenarios by who meets them. None is in two places but where it says so.

    Attributes:
        server: The base detector learns from these; the new type is not among them.
        acceptance: The server judges every model by these. Those of the new type are people's too: the operator wrote
            them from the first warnings.
        people: People receive calls of these; they train on some calls and are measured on others.
    """

    server: tuple[Scenario, ...]
    acceptance: tuple[Scenario, ...]
    people: tuple[Scenario, ...]


_TURNS = ("server", "people", "acceptance", "server", "people", "server")
"""Whose turn it is when the scenarios of a kind are dealt out."""


def deal_scenarios(scenarios: Sequence[Scenario], new_type: ScamType, seed: int) -> Worlds:
    """Return the scenarios dealt out kind by kind, so that every world has every kind that has enough of them."""
    by_kind: dict[str, list[Scenario]] = defaultdict(list)
    for scenario in sorted(scenarios, key=lambda scenario: scenario.id):
        by_kind[scenario.kind].append(scenario)
    new = by_kind.pop(new_type, [])
    dealt: dict[str, list[Scenario]] = {"server": [], "acceptance": list(new), "people": list(new)}
    for kind, members in by_kind.items():
        random.Random(f"{seed} {kind}").shuffle(members)  # noqa: S311  a simulation's
        for scenario, world in zip(members, itertools.cycle(_TURNS), strict=False):
            dealt[world].append(scenario)
    return Worlds(*(tuple(dealt[name]) for name in ("server", "acceptance", "people")))
