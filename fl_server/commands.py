"""The server's commands: what noise a privacy target needs, and what a run has spent."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from fl_server.calibration import Calibration, find_epsilon, find_noise
from fl_server.checkpoint import last_round
from fl_server.ledger import read_spending
from fl_server.wording import SECURE_STATES_MORE
from models.command import console, print_json
from models.domain.privacy import Adversary, Mechanism, NeighbouringRelation, PersonPrivacy, show_epsilon
from models.errors import CheckpointError
from models.privacy.accounting import amplified

LEDGER = "ledger.jsonl"


def calibrate(privacy: PersonPrivacy, against: Adversary, epsilon: float | None, as_json: bool) -> None:
    """Print the noise that keeps ``epsilon``, or without one what the plan's own noise spends.

    Raises:
        UsageError: The epsilon or the plan's noise is out of range.
    """
    found = find_epsilon(privacy, against) if epsilon is None else find_noise(privacy, against, epsilon)
    if as_json:
        print_json(_plan_as_json(privacy, against) | {"calibrations": [_as_json(each, privacy) for each in found]})
        return
    console.print(_calibration_table(found, privacy, against))


def show_status(run: Path, as_json: bool) -> None:
    """Print the rounds that a run has done, and what its ledger has spent, charge by charge.

    Raises:
        CheckpointError: There is no run, or its ledger is damaged.
    """
    ledger = run / LEDGER
    if not ledger.exists() and not last_round(run):
        raise CheckpointError(f"{run}: no run is kept here; name its folder, as federation/server below --out")
    spending = read_spending(ledger) if ledger.exists() else []
    if as_json:
        print_json({"rounds_done": last_round(run), "charges": spending})
        return
    console.print(_spending_table(last_round(run), spending))


def _plan_as_json(privacy: PersonPrivacy, against: Adversary) -> dict[str, Any]:
    poisson = amplified(privacy, against)
    return {
        "unit": "person",
        "against": against,
        "relation": NeighbouringRelation.ADD_OR_REMOVE if poisson else NeighbouringRelation.ZERO_OUT,
        "sampler": "Poisson" if poisson else "none",
        "mechanism": privacy.mechanism,
        "delta": privacy.delta,
        "rounds": privacy.rounds,
        "cohort": privacy.cohort,
        "population": privacy.population,
        "participations": privacy.participations,
        "separation": privacy.separation,
        "tree_rounds": privacy.tree_rounds if privacy.mechanism is Mechanism.FTRL else None,
    }


def _as_json(found: Calibration, privacy: PersonPrivacy) -> dict[str, Any]:
    return {
        "accountant": found.accountant,
        "noise_multiplier": round(found.noise_multiplier, 6),
        "epsilon": found.epsilon,
        "noise_on_the_mean": found.noise_multiplier / privacy.cohort,
    }


def _calibration_table(found: Sequence[Calibration], privacy: PersonPrivacy, against: Adversary) -> Table:
    who = "those who see released models" if against is Adversary.RECIPIENTS else "a server that sees noised sums"
    amplifies = "amplified by Poisson sampling" if amplified(privacy, against) else "no amplification"
    title = f"One person against {who}: {privacy.rounds} rounds, delta {privacy.delta:g}, {amplifies}"
    secure = None if privacy.mechanism is Mechanism.FTRL else SECURE_STATES_MORE  # secure sums have no trees
    table = Table(title=title, title_justify="left", caption=secure, caption_justify="left")
    for heading in ("accountant", "noise multiplier", "epsilon", "noise on the mean, in clipping norms"):
        table.add_column(heading, justify="left" if heading == "accountant" else "right")
    for each in found:
        on_mean = f"{each.noise_multiplier / privacy.cohort:.3g}"
        table.add_row(each.accountant, f"{each.noise_multiplier:.3f}", show_epsilon(each.epsilon), on_mean)
    return table


def _spending_table(done: int, spending: Sequence[dict[str, Any]]) -> Table:
    simulated = " (simulated: stands for more devices than ran)" if any(row["simulated"] for row in spending) else ""
    table = Table(title=f"{done} rounds done; epsilon of one person by charge{simulated}", title_justify="left")
    for heading in ("charge", "round", "against recipients", "against the server", "delta", "mechanism"):
        table.add_column(heading, justify="right")
    for charge, row in enumerate(spending, start=1):
        epsilons = (show_epsilon(row["epsilon"][against]) for against in Adversary)
        table.add_row(str(charge), str(row["round"]), *epsilons, f"{row['delta']:g}", row["mechanism"])
    return table
