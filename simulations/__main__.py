"""`python -m simulations`: whole worlds in one process, to learn what a change does before phones meet it."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from models.command import run_command
from models.domain.privacy import ClippingRule, Mechanism, PrivacyMode
from models.domain.round import RobustRule
from models.domain.secure_aggregation import ThreatModel
from simulations.scenarios import DEFAULT_DRIFT, DRIFTS
from simulations.settings import Engine

# Nothing of ours phones home, whoever runs it.
os.environ.setdefault("FLWR_TELEMETRY_ENABLED", "0")
os.environ.setdefault("FLWR_DISABLE_UPDATE_CHECK", "1")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code."""
    options = _parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], None] = options.command
    return run_command(lambda: command(options))


def _run(options: argparse.Namespace) -> None:
    # Heavy imports wait until the arguments are known to be good.
    from simulations.run_command import run_and_tell

    run_and_tell(options)


def _bench(options: argparse.Namespace) -> None:
    from simulations.bench.rows import run_bench

    run_bench(options.out, options.full)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m simulations", description="Simulated worlds of Hearsay.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_run(commands.add_parser("run", help="base detector, federated rounds, release, device, statistics, report"))
    _add_bench(commands.add_parser("bench", help="speed, as ratios against named peers"))
    return parser


def _add_run(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(command=_run)
    parser.add_argument("--scenario", default=DEFAULT_DRIFT, metavar="NAME", help=f"what is new: {', '.join(DRIFTS)}")
    parser.add_argument("--devices", type=int, default=200, metavar="N", help="in the population that really runs")
    parser.add_argument("--cohort", type=int, default=50, metavar="K", help="devices drawn into a round, expected")
    parser.add_argument("--rounds", type=int, default=40, metavar="R")
    parser.add_argument("--seed", type=int, default=7, metavar="S")
    parser.add_argument(
        "--engine",
        default=Engine.LOCAL,
        choices=[*Engine],
        type=Engine,
        help="processes of our own, or Flower's on Ray",
    )
    parser.add_argument(
        "--workers", type=int, metavar="W", help="processes of the local engine: all cores, if nothing is said"
    )
    parser.add_argument("--privacy", default="person", choices=[mode.value for mode in PrivacyMode])
    parser.add_argument(
        "--mechanism",
        choices=[Mechanism.GAUSSIAN.value, Mechanism.FTRL.value],
        help="what makes the noise for persons: gaussian, if nothing is said; ftrl relies on no draw of the cohort",
    )
    parser.add_argument(
        "--clipping",
        choices=[rule.value for rule in ClippingRule],
        help="of persons' updates: fixed, if nothing is said",
    )
    parser.add_argument(
        "--robust", choices=[rule.value for rule in RobustRule], help="against bad devices, in the place of the mean"
    )
    parser.add_argument(
        "--exact-population", action="store_true", help="calibrate to these devices; state their true epsilon"
    )
    parser.add_argument("--dropout", type=float, default=0.1, metavar="F", help="share of asked devices that drop out")
    parser.add_argument(
        "--threat-model",
        choices=[model.value for model in ThreatModel],
        help="the server that --privacy secure protects against: active, if nothing is said",
    )
    parser.add_argument("--resume", action="store_true", help="go on with an interrupted run in --out")
    parser.add_argument(
        "--calls", type=_calls, metavar="FILE", help="your own calls on the devices; synthetic, as without it"
    )
    parser.add_argument("--base", type=Path, metavar="DIR", help="a trained detector to start from")
    parser.add_argument("--out", type=Path, default=Path("build/run"), metavar="DIR")
    parser.add_argument("--json", action="store_true", help="no summary for people, the JSON object only")


def _calls(given: str) -> Path | None:
    if not given:
        raise argparse.ArgumentTypeError("expected a file's name, got nothing")
    return None if given == "synthetic" else Path(given)


def _add_bench(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(command=_bench)
    parser.add_argument("--full", action="store_true", help="the longer tables too")
    parser.add_argument("--out", type=Path, default=Path("build/bench"), metavar="DIR")


if __name__ == "__main__":
    sys.exit(main())
