"""The tables of ``speech.toml``: fillers, dialect endings, and what recognisers confuse."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

_FILE = Path(__file__).parent / "speech.toml"


@lru_cache(maxsize=1)
def read_speech() -> dict[str, Any]:
    """Return the tables that ship."""
    return tomllib.loads(_FILE.read_text(encoding="utf-8"))


def read_pairs(lines: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Return ``(a, b)`` for every ``a > b``."""
    return tuple((said, heard) for said, _, heard in (line.partition(" > ") for line in lines))
