"""Calls of an institution made fit to be given on: masked, under pseudonyms, with a report of what was done."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from models.corpus.deidentification import deidentify_call
from models.corpus.places_to_check import PlaceToCheck, find_places_to_check
from models.corpus.pseudonyms import PseudonymKey, load_or_create_key
from models.corpus.reader import call_lines, read_calls
from models.domain.call import Call
from models.durable_file import create_durably, remove_durably
from models.errors import CallFileError, HearsayError, OverwriteRefusedError, UsageError

_METHOD = "identifiers masked by rules; ids replaced by HMAC-SHA-256 under a key that is kept apart"


@dataclass(frozen=True, slots=True)
class Pseudonymised:
    """Masked calls and what was done to them.

    Attributes:
        counts: How often what was masked or taken out.
        calls_with: In how many calls what was.
        to_check: Places at which a person should still look.
    """

    calls: list[Call]
    counts: Counter[str]
    calls_with: Counter[str]
    to_check: list[PlaceToCheck]


def pseudonymise_file(
    source: Path, out: Path, report: Path, key: Path, purpose: str | None, show: Callable[[int, int], None]
) -> dict[str, Any]:
    """Write the calls of a file masked and under pseudonyms, and a report; return the report.

    The key is on the disk before the report, and the report before the calls, so no call is ever out without its record
    (PIPA 28-4). The report quotes no word: it counts, and names places by pseudonym, segment and character.

    Args:
        source: JSON lines or CSV, as `read_calls` takes them.
        out: JSON lines; fields that no call of ours has don't come along.
        report: One JSON object.
        key: Made if it isn't there.
        purpose: What the calls are to be used for; goes into the report.
        show: Told how many calls of how many are done.

    Raises:
        OverwriteRefusedError: ``out`` or ``report`` is there.
        UsageError: ``out`` is named as CSV, or two of the four paths are one.
        CallFileError: A line of ``source`` can't be used, or a result can't be written; nothing is written then.
        PseudonymKeyError: The key can't be used.
    """
    _check_paths(source, out, report, key)
    calls = read_calls(source)
    pseudonym_key = load_or_create_key(key)
    result = pseudonymise_calls(calls, pseudonym_key, show)
    content = _report(result, pseudonym_key, purpose)
    _create(report, json.dumps(content, ensure_ascii=False, indent=2) + "\n")
    try:
        _create(out, call_lines(result.calls))
    except HearsayError:
        remove_durably(report)  # a record of calls that never came out
        raise
    return content


def pseudonymise_calls(calls: list[Call], key: PseudonymKey, show: Callable[[int, int], None]) -> Pseudonymised:
    """Mask calls and give them pseudonyms, in their order."""
    result = Pseudonymised([], Counter(), Counter(), [])
    for done, call in enumerate(calls, start=1):
        masked = deidentify_call(replace(call, id=key.pseudonym_of(call.id)))
        result.calls.append(masked.call)
        result.counts.update(masked.counts)
        result.calls_with.update(set(masked.counts))
        result.to_check.extend(find_places_to_check(masked.call))
        show(done, len(calls))
    return result


def _report(result: Pseudonymised, key: PseudonymKey, purpose: str | None) -> dict[str, Any]:
    doubts = Counter(place.doubt.value for place in result.to_check)
    return {
        "processed_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "purpose": purpose,
        "method": _METHOD,
        "key_fingerprint": key.fingerprint,
        "calls": len(result.calls),
        "masked": dict(sorted(result.counts.items())),
        "calls_with": dict(sorted(result.calls_with.items())),
        "to_check": {"places": dict(sorted(doubts.items())), "where": [asdict(place) for place in result.to_check]},
    }


def _check_paths(source: Path, out: Path, report: Path, key: Path) -> None:
    if len({path.resolve() for path in (source, out, report, key)}) < 4:
        raise UsageError("the calls, the result, the report and the key need a file each")
    if out.suffix.lower() == ".csv":
        raise UsageError("the result is JSON lines: give it a name that doesn't end in .csv")
    for path in (out, report):
        if path.exists():
            raise OverwriteRefusedError(path)


def _create(path: Path, content: str) -> None:
    try:
        create_durably(path, content.encode())
    except FileExistsError:
        raise OverwriteRefusedError(path) from None
    except OSError as error:
        raise CallFileError(path, None, f"can't be written: {error.strerror}") from None
