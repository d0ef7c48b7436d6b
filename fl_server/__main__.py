"""`python -m fl_server`: what an operator asks of the training server, one command a thing."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from fl_server.wording import SECURE_STATES_MORE
from models.command import run_command
from models.domain.privacy import Adversary, Mechanism, PersonPrivacy
from models.errors import UsageError

# Nothing of ours phones home, whoever runs it.
os.environ.setdefault("FLWR_TELEMETRY_ENABLED", "0")
os.environ.setdefault("FLWR_DISABLE_UPDATE_CHECK", "1")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code."""
    options = _parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], None] = options.command
    return run_command(lambda: command(options))


def _calibrate(options: argparse.Namespace) -> None:
    # Heavy imports wait until the arguments are known to be good.
    from fl_server.calibration import require_noise
    from fl_server.commands import calibrate

    _require_trees_for_their_options(options)
    noise_multiplier = 1.0 if options.noise_multiplier is None else options.noise_multiplier
    # First, because a plan by itself may have less noise than a figure can be told of, and would name that range.
    require_noise(noise_multiplier)
    privacy = PersonPrivacy(
        clip_norm=1.0,
        noise_multiplier=noise_multiplier,
        cohort=options.cohort,
        population=options.population,
        rounds=options.rounds,
        participations=options.participations,
        delta=options.delta,
        mechanism=Mechanism(options.mechanism),
        separation=1 if options.separation is None else options.separation,
        tree_rounds=32 if options.tree_rounds is None else options.tree_rounds,
    )
    calibrate(privacy, Adversary(options.adversary), options.epsilon, options.json)


def _require_trees_for_their_options(options: argparse.Namespace) -> None:
    """Refuse what would be passed over, so that nobody believes that it counted."""
    said = options.separation is not None or options.tree_rounds is not None
    if said and Mechanism(options.mechanism) is not Mechanism.FTRL:
        raise UsageError("--separation and --tree-rounds are about trees: choose --mechanism ftrl")


def _status(options: argparse.Namespace) -> None:
    from fl_server.commands import show_status

    show_status(options.run, options.json)


def _orders(options: argparse.Namespace) -> None:
    from fl_server.order_commands import carry_out

    carry_out(options.registry, options.keys, options.every)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m fl_server", description="The training server.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    calibrate = commands.add_parser(
        "calibrate", help="the noise that a privacy target needs, and back", epilog=SECURE_STATES_MORE
    )
    _add_calibrate(calibrate)
    _add_status(commands.add_parser("status", help="what a run has done and spent"))
    _add_orders(
        commands.add_parser("orders", help="carry out what the API ordered, and keep the releases' signatures alive")
    )
    return parser


def _add_calibrate(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(command=_calibrate)
    known = parser.add_mutually_exclusive_group(required=True)
    known.add_argument("--epsilon", type=float, metavar="E", help="find the noise that keeps it")
    known.add_argument("--noise-multiplier", type=float, metavar="Z", help="find the epsilon that it spends")
    parser.add_argument("--delta", type=float, default=1e-6, metavar="D")
    parser.add_argument("--rounds", type=int, required=True, metavar="R")
    parser.add_argument("--cohort", type=int, required=True, metavar="K", help="devices in a round, expected")
    parser.add_argument("--population", type=int, required=True, metavar="N", help="devices that it is drawn from")
    parser.add_argument("--adversary", required=True, choices=[adversary.value for adversary in Adversary])
    parser.add_argument("--participations", type=int, default=5, metavar="M", help="of one person, at most")
    parser.add_argument("--mechanism", default="gaussian", choices=["gaussian", "ftrl"])
    parser.add_argument("--separation", type=int, metavar="B", help="ftrl: rounds between participations (1)")
    parser.add_argument("--tree-rounds", type=int, metavar="T", help="ftrl: a tree starts anew after them (32)")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")


def _add_orders(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(command=_orders)
    parser.add_argument("--registry", type=Path, required=True, metavar="DIR")
    parser.add_argument("--keys", type=Path, required=True, metavar="DIR", help="the online keys, which sign releases")
    parser.add_argument("--every", type=float, metavar="SECONDS", help="go on for ever, and look this often")


def _add_status(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(command=_status)
    parser.add_argument("--run", type=Path, required=True, metavar="DIR", help="where checkpoints and ledger are kept")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")


if __name__ == "__main__":
    sys.exit(main())
