"""`python -m fl_client`: what a device does, one command a thing."""

from __future__ import annotations

import argparse
import importlib
import math
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType

from fl_client.commands import detect_calls, update_device
from fl_client.local_model import DEFAULT_SECONDS, LocalModel
from models.command import run_command
from models.domain.consent import Purpose


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
    _add_enroll(commands.add_parser("enroll", help="get an id and a secret from the API, once"))
    _add_consent(commands.add_parser("consent", help="read the text of a purpose and agree to it"))
    _add_withdraw(commands.add_parser("withdraw", help="take a consent back, at once"))
    _add_status(commands.add_parser("status", help="what the API holds for this device"))
    _add_leave(commands.add_parser("leave", help="destroy this device at the API with all that is tied to it"))
    return parser


def _api_commands() -> ModuleType:
    """Return the commands that speak with the API; loaded late, since detecting calls needs no HTTP."""
    return importlib.import_module("fl_client.membership_commands")


def _add_enroll(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(
        command=lambda options: _api_commands().enroll_device(options.api, options.home, options.ca_file, options.json)
    )
    parser.add_argument("--api", required=True, metavar="URL", help="the API's address")
    parser.add_argument("--ca-file", type=Path, metavar="FILE", help="certificates to trust instead of the system's")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    _add_home(parser)


def _add_consent(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(
        command=lambda options: _api_commands().give_consent(
            options.home, options.purpose, options.language, options.guardian_record, options.agree
        )
    )
    parser.add_argument("--language", choices=("ko", "en"), default="ko")
    parser.add_argument("--guardian-record", metavar="ID", help="of a child under 14: what the guardian was given")
    parser.add_argument("--agree", metavar="VERSION", help="the text of this version was shown and agreed to elsewhere")
    _add_purpose(parser)
    _add_home(parser)


def _add_withdraw(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(command=lambda options: _api_commands().withdraw_consent(options.home, options.purpose))
    _add_purpose(parser)
    _add_home(parser)


def _add_status(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(command=lambda options: _api_commands().show_status(options.home))
    _add_home(parser)


def _add_leave(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(command=lambda options: _api_commands().leave_api(options.home))
    _add_home(parser)


def _add_purpose(parser: argparse.ArgumentParser) -> None:
    names = ", ".join(Purpose)
    parser.add_argument("--purpose", type=Purpose, choices=list(Purpose), required=True, help=f"one of {names}")


def _add_home(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--home", type=Path, required=True, metavar="DIR", help="the device's folder")


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
        command=lambda options: update_device(
            options.releases, options.home, options.root, options.ca_file, options.json
        )
    )
    parser.add_argument("--releases", required=True, metavar="URL", help="the API's address")
    parser.add_argument("--home", type=Path, required=True, metavar="DIR", help="the device's folder")
    parser.add_argument("--root", type=Path, metavar="FILE", help="the root metadata to trust; needed once")
    parser.add_argument(
        "--ca-file", type=Path, metavar="FILE", help="TLS certificates to trust instead of the system's"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")


if __name__ == "__main__":
    sys.exit(main())
