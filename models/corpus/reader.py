"""Call files: JSON lines or CSV in, calls out. A line that can't be used stops the reading and says why."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

from models.corpus.csv_table import CsvTableError, read_csv
from models.domain.call import Call, Label, ScamType, Segment
from models.errors import CallFileError

_SURROGATE = re.compile(r"[\ud800-\udfff]")
_HANGUL = re.compile(r"[가-힣\u1100-\u11ff]")
_LABELS = {0: Label.NORMAL, 1: Label.VISHING, "0": Label.NORMAL, "1": Label.VISHING}
_CSV_COLUMNS = ("id", "label", "text")
_LONGEST_CALL_SECONDS = 1e6

Rows = Iterator[tuple[int, Mapping[str, Any]]]
"""Line number, counted from 1, and the fields of that line."""


class _Unusable(Exception):  # noqa: N818 - never leaves this module; becomes a CallFileError with its line
    """Why a line can't be used, without a word of what stands in it."""


def read_calls(path: Path | str) -> list[Call]:
    """Return the calls of a file, in the file's order.

    ``.csv`` is read as CSV (`read_csv`) with a header that names ``id``, ``label``, ``text`` and, where given,
    ``source`` and ``scam_type``, in any order; other columns are passed over. Anything else is read as JSON lines in
    UTF-8: ``id``, ``label`` (1 vishing, 0 normal), ``text`` or ``segments`` (``start`` and ``end`` in seconds,
    ``text``), optional ``source`` and ``scam_type``. Blank lines are passed over.

    Raises:
        CallFileError: Names the file, the line and the reason, and never quotes the line: it may be somebody's call.
    """
    path = Path(path)
    calls: list[Call] = []
    first_lines: dict[str, int] = {}
    for line, row in _rows(path):
        with _naming(path, line):
            call = _call_of(row)
        if call.id in first_lines:
            raise CallFileError(path, line, f"the id was used before, on line {first_lines[call.id]}")
        first_lines[call.id] = line
        calls.append(call)
    if not calls:
        raise CallFileError(path, None, "there is no call in the file")
    return calls


def write_calls(path: Path | str, calls: Iterable[Call]) -> None:
    """Write calls as JSON lines that ``read_calls`` gives back unchanged.

    Raises:
        CallFileError: The file can't be written.
    """
    try:
        Path(path).write_text(call_lines(calls), encoding="utf-8")
    except OSError as error:
        raise CallFileError(path, None, f"can't be written: {error.strerror}") from None


def call_lines(calls: Iterable[Call]) -> str:
    """Return calls as JSON lines."""
    return "".join(json.dumps(_row_of(call), ensure_ascii=False, allow_nan=False) + "\n" for call in calls)


def _row_of(call: Call) -> dict[str, Any]:
    row: dict[str, Any] = {"id": call.id, "label": call.label.value, "source": call.source}
    if call.scam_type is not ScamType.UNKNOWN:
        row["scam_type"] = call.scam_type.value
    if call.segments:
        row["segments"] = [{"start": part.start, "end": part.end, "text": part.text} for part in call.segments]
    else:
        row["text"] = call.text
    return row


def _rows(path: Path) -> Rows:
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise CallFileError(path, None, f"can't be read: {error.strerror}") from None
    return _csv_rows(path, raw) if path.suffix.lower() == ".csv" else _json_rows(path, _decoded(path, raw))


def _decoded(path: Path, raw: bytes) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise CallFileError(path, line, "is not UTF-8") from None


def _json_rows(path: Path, text: str) -> Rows:
    for line, content in enumerate(text.split("\n"), start=1):
        if content.strip():
            with _naming(path, line):
                row = _json_object(content)
            yield line, row


def _json_object(content: str) -> Mapping[str, Any]:
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        raise _Unusable("is not JSON") from None
    if not isinstance(value, dict):
        raise _Unusable("is not a JSON object")
    return value


def _csv_rows(path: Path, raw: bytes) -> Rows:
    try:
        yield from read_csv(raw, _CSV_COLUMNS)
    except CsvTableError as error:
        raise CallFileError(path, error.line, error.reason) from None


@contextmanager
def _naming(path: Path, line: int) -> Iterator[None]:
    try:
        yield
    except _Unusable as reason:
        raise CallFileError(path, line, str(reason)) from None


def _call_of(row: Mapping[str, Any]) -> Call:
    segments = _segments_of(row)
    call = Call(
        id=_id_of(row),
        label=_label_of(row),
        segments=segments,
        text="" if segments else _text_of(row, "text"),
        source=_source_of(row),
        scam_type=_scam_type_of(row),
    )
    if not call.transcript.strip():
        raise _Unusable("the transcript is empty")
    if not _HANGUL.search(call.transcript):
        raise _Unusable("the transcript has no Hangul")
    return call


def _id_of(row: Mapping[str, Any]) -> str:
    value = row.get("id")
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str) or not value.strip() or _SURROGATE.search(value):
        raise _Unusable("the id is not there, or is neither text nor a whole number")
    return value


def _label_of(row: Mapping[str, Any]) -> Label:
    value = row.get("label")
    if isinstance(value, bool) or not isinstance(value, int | str) or value not in _LABELS:
        raise _Unusable("the label is neither 0 (normal) nor 1 (vishing)")
    return _LABELS[value]


def _text_of(row: Mapping[str, Any], field: str) -> str:
    value = row.get(field, "")
    if not isinstance(value, str):
        raise _Unusable(f"{field} is not text")
    if _SURROGATE.search(value):
        raise _Unusable(f"{field} holds half a character (a lone surrogate)")
    return value


def _source_of(row: Mapping[str, Any]) -> str:
    return _text_of(row, "source") or "unknown"


def _scam_type_of(row: Mapping[str, Any]) -> ScamType:
    value = row.get("scam_type")
    if value is None:
        return ScamType.UNKNOWN
    if not isinstance(value, str) or value not in set(ScamType):
        raise _Unusable(f"the scam_type is none of {', '.join(ScamType)}")
    return ScamType(value)


def _segments_of(row: Mapping[str, Any]) -> tuple[Segment, ...]:
    value = row.get("segments", [])
    if not isinstance(value, list):
        raise _Unusable("segments is not a list")
    segments = tuple(_segment_of(part) for part in value)
    if any(later.start < earlier.start for earlier, later in pairwise(segments)):
        raise _Unusable("the segments are not in order of start")
    return segments


def _segment_of(part: object) -> Segment:
    if not isinstance(part, dict):
        raise _Unusable("a segment is not an object")
    start, end = _seconds_of(part, "start"), _seconds_of(part, "end")
    if end < start:
        raise _Unusable("a segment ends before it starts")
    return Segment(start, end, _text_of(part, "text"))


def _seconds_of(part: Mapping[str, Any], field: str) -> float:
    value = part.get(field)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _LONGEST_CALL_SECONDS:
        raise _Unusable(f"a segment's {field} is not a finite number of seconds, 0 or more")
    return float(value)
