"""`make bench`: each row in a process of its own, beside its named peer, under the settings that favour the peer."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from pydantic import TypeAdapter
from rich.table import Table

from models.command import console
from models.durable_file import write_durably
from models.errors import BadInputError, HearsayError
from simulations.bench.row import FULL, Row

FAVOURING_THE_PEER = {
    "MALLOC_MMAP_THRESHOLD_": "4294967296",
    "MALLOC_TRIM_THRESHOLD_": "8589934592",
    "MALLOC_TOP_PAD_": "268435456",
}
"""Settings of glibc's malloc under which plain nn.LSTM is fastest; the default ones would flatter every ratio."""

GROUPS = (
    "private_step",
    "secure_sum",
    "devices",
    "devices_beside_pfl",
    "population",
    "release",
    "signed_report",
    "dashboard",
)
"""Modules of measurements; each prints its rows as JSON."""

OUT = "HEARSAY_BENCH_OUT"
"""Variable that tells a module of measurements where figures are written: a peer's environment lies there, too."""

_NARROWEST = 120
"""Columns of the table that is shown: in fewer, names and values would be cut short."""

_ROWS = TypeAdapter(list[Row])


class BenchError(HearsayError):
    """A measurement's process failed."""


def run_bench(out: Path, full: bool = False) -> None:
    """Measure all rows, write them as JSON files and show them; ``full`` measures the longer tables too.

    Raises:
        BenchError: A measurement failed; the others' files are kept.
        BadInputError: The folder can't be written; nothing is measured.
    """
    _require_writable(out)
    table = Table("row", "value", "unit", "ratio", "against")
    for column in table.columns[:-1]:
        column.no_wrap = True
    for group in GROUPS:
        console.print(f"measuring {group}", markup=False)
        rows = _measure(group, out, full)
        write_durably(out / f"{group}.json", _ROWS.dump_json(rows, indent=1))
        for row in rows:
            ratio = "-" if row.ratio is None else f"{row.ratio:.2f}"
            table.add_row(row.name, f"{row.value:.4g}", row.unit, ratio, row.against)
    console.width = max(console.width, _NARROWEST)
    console.print(table)
    console.print(f"written to {out}", markup=False, soft_wrap=True)


def _require_writable(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out):
            pass
    except OSError as error:
        raise BadInputError(f"{out}: can't be written to: {error.strerror}") from error


def _measure(group: str, out: Path, full: bool) -> list[Row]:
    command = [sys.executable, "-W", "ignore", "-m", f"simulations.bench.{group}", *([FULL] if full else [])]
    settings = os.environ | FAVOURING_THE_PEER | {OUT: str(out.absolute())}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=settings)  # noqa: S603
    if done.returncode:
        raise BenchError(f"measuring {group} failed: {(done.stderr.strip().splitlines() or ['no word'])[-1]}")
    try:
        return _ROWS.validate_json(done.stdout.splitlines()[-1])
    except (IndexError, ValueError) as error:
        raise BenchError(f"measuring {group} failed: it printed no rows") from error
