"""Rows of a CSV file as Korean institutions write them: header, quotes, byte order mark, UTF-8 or CP949."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_LONGEST_FIELD = 50_000_000
"""Characters; the library's own limit is shorter than a call of some hours."""

_HANGUL = re.compile(r"[가-힣]")
_FOREIGN = re.compile(r"[^\x00-\x7f가-힣ㄱ-ㆎ“”‘’·…○×℃～―]")


class CsvTableError(Exception):
    """The file can't be used. ``reason`` never quotes it; ``line`` counts from 1."""

    def __init__(self, line: int, reason: str) -> None:
        self.line, self.reason = line, reason
        super().__init__(f"line {line}: {reason}")


def read_csv(raw: bytes, needed: Sequence[str]) -> Iterator[tuple[int, Mapping[str, str]]]:
    """Give the rows of a CSV file under their header's names, each with the line that it begins on.

    Takes RFC 4180: commas, double quotes around a field that holds a comma, a quote (doubled) or a line break. Names in
    the header may have spaces around them and capitals. The encoding is UTF-8, with or without byte order mark, or
    CP949 (what Excel writes on a Korean Windows). Empty lines are passed over; an empty field is one that is not there.

    Args:
        raw: The file.
        needed: Columns that must be there.

    Raises:
        CsvTableError: Another encoding, a header without a needed column or with one twice, quotes that never close, or
            a row with more or fewer fields than the header.
    """
    csv.field_size_limit(_LONGEST_FIELD)
    reader = csv.reader(io.StringIO(_decoded(raw), newline=""), strict=True)
    header: list[str] | None = None
    for line, fields in _numbered(reader):
        if header is None:
            header = _header(fields, line, needed)
        elif len(fields) != len(header):
            raise CsvTableError(line, f"has {len(fields)} fields, the header {len(header)}")
        else:
            yield line, {name: value for name, value in zip(header, fields, strict=True) if name and value}


def _numbered(reader: Any) -> Iterator[tuple[int, list[str]]]:
    while True:
        line = reader.line_num + 1
        try:
            fields = next(reader, None)
        except csv.Error:
            raise CsvTableError(line, "is not CSV: a quote is out of place or never closed") from None
        if fields is None:
            return
        if any(field.strip() for field in fields):
            yield line, fields


def _header(fields: Sequence[str], line: int, needed: Sequence[str]) -> list[str]:
    names = [field.strip().lower() for field in fields]
    if absent := [name for name in needed if name not in names]:
        raise CsvTableError(line, f"the header lacks {', '.join(absent)}")
    if any(count > 1 for name, count in Counter(names).items() if name):
        raise CsvTableError(line, "the header has a column twice")
    return names


def _decoded(raw: bytes) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
    try:
        text = raw.decode("cp949")
    except UnicodeDecodeError:
        text = ""
    # Broken UTF-8 can pass for CP949; it then reads as Chinese and rare signs rather than Hangul.
    if len(_HANGUL.findall(text)) <= 10 * len(_FOREIGN.findall(text)):
        raise CsvTableError(line, "is neither UTF-8 nor CP949")
    return text
