"""`python -m fl_client`: what a device does, one command a thing."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from fl_client.commands import detect_calls, update_device
from fl_client.local_model import DEFAULT_SECONDS, LocalModel
from models.command import run_command


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code."""
    options = _parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], None] = options.command
    return run_command(lambda: command(options))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m fl_client", description="A device that takes part.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_detect(commands.add_parser("detect", help="judge calls as they grow"))
    _add_update(commands.add_parser("update", help="install the newest signed release"))
    return parser


def _add_detect(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(command=_detect)
    parser.add_argument("--model", type=Path, required=True, metavar="DIR", help="an exported detector, a release")
    parser.add_argument("--calls", type=Path, required=True, metavar="FILE", help="JSON lines or CSV")
    parser.add_argument("--call", metavar="ID", help="only this call")
    parser.add_argument("--explainer", metavar="COMMAND", help="a language model on this device words the reasons")
    parser.add_argument("--explainer-seconds", type=_seconds, default=DEFAULT_SECONDS, help="that it may take")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")


def _detect(options: argparse.Namespace) -> None:
    model = LocalModel.parse(options.explainer, options.explainer_seconds) if options.explainer is not None else None
    detect_calls(options.model, options.calls, options.call, options.json, model)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise argparse.ArgumentTypeError(f"expected seconds above 0, got {text!r}")
    return seconds


def _add_update(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(
        command=lambda options: update_device(options.releases, options.home, options.root, options.json)
    )
    parser.add_argument("--releases", required=True, metavar="URL", help="the API's address")
    parser.add_argument("--home", type=Path, required=True, metavar="DIR", help="the device's folder")
    parser.add_argument("--root", type=Path, metavar="FILE", help="the root metadata to trust; needed once")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")


if __name__ == "__main__":
    sys.exit(main())
