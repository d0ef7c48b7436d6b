"""What happens in a simulated world: which scam is new, and who has which of the authored scenarios."""

from __future__ import annotations

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
        Drift("new-messenger", "Messenger scams appear; the base detector never saw one.", ScamType.MESSENGER),
        Drift("new-app", "Malicious-app scams appear; the base detector never saw one.", ScamType.MALICIOUS_APP),
        Drift("new-ars", "Automated-call scams appear; the base detector never saw one.", ScamType.ARS),
        Drift("new-agency", "Agency impersonation appears; the base detector never saw one.", ScamType.AGENCY),
        Drift("new-loan", "Loan scams appear; the base detector never saw one.", ScamType.LOAN),
    )
}
"""The drifts that can be simulated. Loan fraud led in 2024, agency impersonation in 2025."""

DEFAULT_DRIFT = "new-messenger"


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
    """Scenarios by who meets them. No scenario is in two places, so that nothing is learned by heart.

    Attributes:
        server: The base detector learns from these.
        acceptance: The server judges every model by these, the new type included: authored from warnings.
        devices: People receive calls of these.
        kept_apart: Before and after are measured on these.
    """

    server: tuple[Scenario, ...]
    acceptance: tuple[Scenario, ...]
    devices: tuple[Scenario, ...]
    kept_apart: tuple[Scenario, ...]


_TURNS = (
    "server",
    "devices",
    "kept_apart",
    "acceptance",
    "server",
    "devices",
    "server",
    "kept_apart",
    "server",
    "devices",
)


def deal_scenarios(scenarios: Sequence[Scenario], seed: int) -> Worlds:
    """Return the scenarios dealt out kind by kind, so that every world has every kind that has enough of them."""
    by_kind: dict[str, list[Scenario]] = defaultdict(list)
    for scenario in sorted(scenarios, key=lambda scenario: scenario.id):
        by_kind[scenario.kind].append(scenario)
    dealt: dict[str, list[Scenario]] = defaultdict(list)
    for kind, members in by_kind.items():
        random.Random(f"{seed} {kind}").shuffle(members)  # noqa: S311  a simulation's
        for place, scenario in enumerate(members):
            dealt[_TURNS[place % len(_TURNS)]].append(scenario)
    return Worlds(*(tuple(dealt[name]) for name in ("server", "acceptance", "devices", "kept_apart")))
