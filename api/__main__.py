"""The command line of the API: ``python -m api``, one command a thing."""

from __future__ import annotations

import argparse
import getpass
import logging
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from api.app import create_app
from api.audit.service import verify_log
from api.certificate import make_certificate
from api.context import open_context
from api.database import connect_database, empty_log, migrate_database, require_current_schema, transaction
from api.key_rotation import rotate_keys
from api.keys import load_keys, make_keys
from api.people.schemas import NewLoginName
from api.people.service import create_operator, remove_operator
from api.releases.repository import RegistryUnreadableError, read_releases
from api.security_events import CONSOLE, SecurityEvent, record_event
from api.serving import open_socket, serve, stop_with_input, url_of
from api.settings import Binding, Settings
from api.statistics.service import ClosedWindow, release_due_windows, release_window
from models.command import console, print_json, run_command
from models.domain.window import Window, open_window
from models.errors import BadInputError, UsageError


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    return run_command(lambda: options.run(options))


def _serve(options: argparse.Namespace) -> None:
    _require_registry(options.registry)
    binding = Binding(options.host, options.port, _certificate(options), options.proxy)
    settings = Settings(options.database, options.registry, load_keys(options.keys))
    engine = connect_database(options.database)
    require_current_schema(engine)
    engine.dispose()
    listener = open_socket(binding)
    url = url_of(listener, binding)

    def announce() -> None:
        print_json({"url": url})
        console.print(f"listening on {url}", markup=False)

    if options.stop_with_input:
        stop_with_input()
    serve(create_app(settings), listener, binding, announce)


def _require_registry(registry: Path) -> None:
    if not registry.is_dir():
        raise BadInputError(
            f"{registry} is no directory: name the one that fl_server publishes into, or make it (mkdir)"
        )
    try:
        read_releases(registry)
    except RegistryUnreadableError:
        raise BadInputError(f"{registry}: the metadata is damaged or incomplete: restore it from a copy") from None


def _migrate(options: argparse.Namespace) -> None:
    made = make_keys(options.keys)
    engine = connect_database(options.database)
    revision = migrate_database(engine)
    engine.dispose()
    authority = load_keys(options.keys).authority.public_key().public_bytes_raw().hex()
    print_json({"revision": revision, "keys_made": [path.name for path in made], "enrolment_authority": authority})


def _rotate_keys(options: argparse.Namespace) -> None:
    engine = connect_database(options.database)
    require_current_schema(engine)
    rotation = rotate_keys(engine, options.keys, retire=options.retire)
    engine.dispose()
    print_json(asdict(rotation))


def _create_operator(options: argparse.Namespace) -> None:
    name, password = _require_login_name(options.name), _read_password()
    context = open_context(Settings(options.database, Path(), load_keys(options.keys)))
    require_current_schema(context.engine)
    create_operator(context, name, password)
    context.engine.dispose()
    print_json({"operator": name})


def _remove_operator(options: argparse.Namespace) -> None:
    engine = connect_database(options.database)
    require_current_schema(engine)
    with transaction(engine) as connection:
        remove_operator(connection, options.name, datetime.now(UTC))
    empty_log(engine)
    engine.dispose()
    print_json({"removed": options.name})


def _require_login_name(name: str) -> str:
    try:
        return TypeAdapter(NewLoginName).validate_python(name)
    except ValidationError:
        raise UsageError(
            "expected a --name of 3 to 32 small letters, digits, dots, hyphens and underscores, and no telephone number"
        ) from None


def _read_password() -> str:
    if sys.stdin.isatty():
        return getpass.getpass("Password: ")
    return sys.stdin.readline().rstrip("\n")


def _release_statistics(options: argparse.Namespace) -> None:
    now = datetime.now(UTC)
    engine = connect_database(options.database)
    require_current_schema(engine)
    with transaction(engine) as connection:
        if options.early or options.window:
            window = open_window(now) if options.window is None else Window.parse(options.window)
            closed = [release_window(connection, window, now, early=options.early)]
            if options.early:
                record_event(connection, SecurityEvent.WINDOW_CLOSED_EARLY, CONSOLE, now, window.name)
        else:
            closed = release_due_windows(connection, now)
    empty_log(engine)
    engine.dispose()
    print_json({"closed": [_describe(window) for window in closed]})


def _describe(closed: ClosedWindow) -> dict[str, object]:
    return {"window": closed.window.name, "state": closed.state.value, "reports": closed.reports}


def _audit(options: argparse.Namespace) -> None:
    engine = connect_database(options.database)
    require_current_schema(engine)
    with transaction(engine, write=False) as connection:
        head = verify_log(connection, options.anchors)
    engine.dispose()
    print_json({"rows": head.number, "anchor": str(head)})


def _make_certificate(options: argparse.Namespace) -> None:
    certificate, key = make_certificate(options.out, options.host)
    print_json({"certificate": str(certificate), "key": str(key)})


def _certificate(options: argparse.Namespace) -> tuple[Path, Path] | None:
    given = (options.tls_cert, options.tls_key)
    if options.plain_http and given == (None, None):
        return None
    if options.plain_http or None in given:
        raise UsageError("give both --tls-cert and --tls-key, or --plain-http on loopback")
    return given


def _port(text: str) -> int:
    number = int(text)
    if not 0 <= number < 2**16:
        raise argparse.ArgumentTypeError(f"{number} is no port: 0 to 65535")
    return number


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m api", description="The API of Hearsay.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    serving = _add_serving(commands)

    migrating = commands.add_parser("migrate", help="bring the database up to date and make absent keys")
    migrating.set_defaults(run=_migrate)

    creating = commands.add_parser("create-operator", help="make an operator's account; reads the password")
    creating.add_argument("--name", required=True, help="login name")
    creating.set_defaults(run=_create_operator)

    removing = commands.add_parser("remove-operator", help="remove an operator's account; it is logged out at once")
    removing.add_argument("--name", required=True, help="login name")
    removing.set_defaults(run=_remove_operator)

    rotating = commands.add_parser("rotate-keys", help="new keys in place of those in use, while it runs")
    rotating.add_argument("--retire", action="store_true", help="after a leak: take the older ones away at once")
    rotating.set_defaults(run=_rotate_keys)

    releasing = commands.add_parser("release-statistics", help="close the windows whose day has come")
    releasing.add_argument("--window", help="only this one, such as 2026-W46")
    releasing.add_argument(
        "--early", action="store_true", help="close it, or the open one, now and for good; it needs its 50 reports"
    )
    releasing.set_defaults(run=_release_statistics)

    auditing = commands.add_parser("audit", help="verify that no row of the audit log is missing or was changed")
    auditing.add_argument("--anchors", type=Path, metavar="FILE", help="ends that the log had before; today's is added")
    auditing.set_defaults(run=_audit)

    certifying = commands.add_parser("make-certificate", help="make a TLS certificate that nobody else vouches for")
    certifying.add_argument("--host", required=True, help="name or address by which devices reach the server")
    certifying.add_argument("--out", type=Path, required=True, metavar="DIR")
    certifying.set_defaults(run=_make_certificate)

    for command in (serving, migrating, creating, removing, rotating, releasing, auditing):
        command.add_argument("--database", required=True, help="sqlite:///FILE or postgresql://USER@HOST/NAME")
    for command in (serving, migrating, creating, rotating):
        command.add_argument("--keys", type=Path, required=True, help="directory of the secret keys")
    return parser


def _add_serving(commands: Any) -> argparse.ArgumentParser:
    serving: argparse.ArgumentParser = commands.add_parser("serve", help="answer requests")
    serving.add_argument("--host", default="127.0.0.1")
    serving.add_argument("--port", type=_port, default=8443, help="0 takes any free one and says which")
    serving.add_argument("--registry", type=Path, required=True, help="directory that fl_server publishes into")
    serving.add_argument("--tls-cert", type=Path)
    serving.add_argument("--tls-key", type=Path)
    serving.add_argument("--plain-http", action="store_true", help="without TLS, on loopback only")
    serving.add_argument("--proxy", metavar="ADDRESS", help="believe X-Forwarded-For of the proxy at this address")
    serving.add_argument(
        "--stop-with-input", action="store_true", help="stop when standard input ends, as it does with its parent"
    )
    serving.set_defaults(run=_serve)
    return serving


if __name__ == "__main__":
    sys.exit(main())
