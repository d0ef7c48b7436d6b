"""What every command line of ours does alike: one line for an error, its exit code, JSON on standard output."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

from rich.console import Console

from models.errors import HearsayError, OutputError

INTERRUPTED = 130

console = Console(stderr=True, highlight=False)
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
        # What is still in the buffer would fail once more when the interpreter ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise OutputError(f"standard output: {error.strerror}") from error


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
