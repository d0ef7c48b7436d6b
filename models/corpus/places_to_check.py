"""Where a person should still look after masking: what rules see and can't settle."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain

from models.corpus.masks import MASKED, read_identifiers
from models.corpus.name_masks import uncertain_names
from models.corpus.number_masks import numbers_to_check
from models.domain.call import Call

_TABLE = read_identifiers()["to_check"]


class Doubt(StrEnum):
    """Why a person should look."""

    NAME = "perhaps a name"
    NUMBER = "a number of 4 to 6 digits"
    ADDRESS = "perhaps an address"
    BIRTH = "perhaps a date of birth"
    NET = "perhaps an e-mail address or a link"


@dataclass(frozen=True, slots=True)
class PlaceToCheck:
    """A place in a masked call, never its words.

    Attributes:
        segment: Number of the segment from 0 on; None in a call without segments.
        start: First character of the place in the segment's, or the call's, masked text.
        end: The character after its last.
    """

    call_id: str
    segment: int | None
    start: int
    end: int
    doubt: Doubt


def find_places_to_check(call: Call) -> Iterator[PlaceToCheck]:
    """Give the places of a masked call that a person should look at, in order of segment and kind."""
    parts = enumerate(segment.text for segment in call.segments) if call.segments else iter([(None, call.text)])
    for segment, text in parts:
        for doubt, find in _SEARCHES.items():
            for start, end in sorted(set(find(text))):
                yield PlaceToCheck(call.id, segment, start, end, doubt)


def _searching(patterns: list[str]) -> Callable[[str], list[tuple[int, int]]]:
    compiled = [re.compile(pattern) for pattern in patterns]

    def find(text: str) -> list[tuple[int, int]]:
        text = MASKED.sub(lambda mask: " " * len(mask[0]), text)  # <주민번호> speaks of no birth any more
        return [found.span() for found in chain.from_iterable(one.finditer(text) for one in compiled)]

    return find


_SEARCHES: dict[Doubt, Callable[[str], list[tuple[int, int]]]] = {
    Doubt.NAME: uncertain_names,
    Doubt.NUMBER: numbers_to_check,
    Doubt.ADDRESS: _searching(_TABLE["places"]),
    Doubt.BIRTH: _searching(_TABLE["births"]),
    Doubt.NET: _searching(_TABLE["spelled"]),
}
