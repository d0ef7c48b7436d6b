"""Round reports as the registry holds them."""

from __future__ import annotations

from pathlib import Path

from api.releases.repository import RegistryUnreadableError
from models.domain.round import RoundReport, parse_round
from models.errors import HearsayError
from models.record import read_record, record_names

LAST_ROUNDS = 200
"""Rounds that are read at once, at most; older ones stay in the registry."""


def read_last_rounds(registry: Path, last: int = LAST_ROUNDS) -> list[RoundReport]:
    """Return the last rounds' reports, in order; none where no round was run yet.

    Raises:
        RegistryUnreadableError: A report is damaged.
    """
    folder = registry / "rounds"
    try:
        names = sorted(record_names(folder))[-last:]
        return [parse_round(record) for name in names if (record := read_record(folder, name)) is not None]
    except (HearsayError, OSError) as error:
        raise RegistryUnreadableError from error
