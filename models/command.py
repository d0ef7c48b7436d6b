"""What every command line of ours does alike: one line for an error, its exit code, JSON on standard output."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any, TextIO

from rich.console import Console

from models.errors import HearsayError, OutputError

INTERRUPTED = 130


class _Console(Console):
    """Standard error, whose own failures are errors of ours."""

    def print(self, *objects: Any, **options: Any) -> None:
        try:
            super().print(*objects, **options)
        except OSError as error:
            raise _output_error(sys.stderr, "standard error", error) from error


console = _Console(stderr=True, highlight=False)
"""Everything that people read goes to standard error; standard output is for scripts."""


def print_json(value: Mapping[str, Any]) -> None:
    """Print one JSON object on one line of standard output.

    Raises:
        OutputError: Standard output is full or closed.
    """
    try:
        sys.stdout.write(json.dumps(value, ensure_ascii=False, allow_nan=False) + "\n")
        sys.stdout.flush()
    except OSError as error:
        raise _output_error(sys.stdout, "standard output", error) from error


def _output_error(stream: TextIO, name: str, error: OSError) -> OutputError:
    """Return what is raised for a stream that takes no more, and let it swallow what is still in its buffer.

    Else that would fail once more when the interpreter ends.
    """
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    return OutputError(f"{name}: {error.strerror}")


def run_command(command: Callable[[], None]) -> int:
    """Run a command and return its exit code. Errors of ours become one line on standard error."""
    try:
        command()
    except HearsayError as error:
        console.print(f"error: {error}", markup=False, soft_wrap=True)
        return error.exit_code
    except KeyboardInterrupt:
        console.print("interrupted", markup=False)
        return INTERRUPTED
    return 0
