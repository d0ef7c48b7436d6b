"""Finds a word in bytes, however it is written there: as text, in base64, as n-gram ids, or compressed."""

from __future__ import annotations

import base64
import bz2
import gzip
import io
import lzma
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from models.text.ngrams import NgramScheme, ngram_ids

_COMPRESSED = re.compile(rb"\x1f\x8b\x08|\x78[\x01\x5e\x9c\xda]|BZh[1-9]|\xfd7zXZ\x00")
_DEEPEST = 3


def forms_of(word: str, scheme: NgramScheme) -> dict[str, bytes]:
    """Return every way in which a word could stand in bytes, by name."""
    ids = ngram_ids(word, scheme)
    forms = {encoding: word.encode(encoding) for encoding in ("utf-8", "utf-16-le", "utf-16-be", "utf-32-le")}
    forms["percent"] = "".join(f"%{byte:02X}" for byte in word.encode()).encode()
    forms["json escape"] = "".join(f"\\u{ord(letter):04x}" for letter in word).encode()
    forms |= {f"base64 at {place}": _base64_at(word.encode(), place) for place in range(3)}
    for order, name in (("<", "little"), (">", "big")):
        forms[f"ids, 32 bits, {name} endian"] = struct.pack(f"{order}{len(ids)}i", *ids)
        forms[f"ids, 64 bits, {name} endian"] = struct.pack(f"{order}{len(ids)}q", *ids)
    forms["ids as text"] = ", ".join(map(str, ids)).encode()
    forms["ids as tight text"] = ",".join(map(str, ids)).encode()
    return forms


def find_word(data: bytes, forms: dict[str, bytes]) -> set[str]:
    """Return the names of the forms that stand in the data, or in a compressed stream inside it."""
    return {name for layer in _layers(data, _DEEPEST) for name, form in forms.items() if form in layer}


def find_word_below(folder: Path, forms: dict[str, bytes]) -> dict[str, set[str]]:
    """Return what is found in each file below a folder, in its name too."""
    found = {}
    for path in sorted(folder.rglob("*")):
        named = find_word(str(path.relative_to(folder)).encode(), forms)
        held = find_word(path.read_bytes(), forms) if path.is_file() else set()
        if named | held:
            found[str(path.relative_to(folder))] = named | held
    return found


def _base64_at(data: bytes, place: int) -> bytes:
    """Return the letters of base64 that don't depend on what stands before and after the data."""
    encoded = base64.b64encode(bytes(place) + data + bytes(3))
    first = -(-place * 4 // 3)
    last = (place + len(data)) * 8 // 6
    return encoded[first:last]


def _layers(data: bytes, deepest: int) -> Iterator[bytes]:
    yield data
    if deepest:
        for inner in (*_zip_members(data), *_streams(data)):
            yield from _layers(inner, deepest - 1)


def _zip_members(data: bytes) -> Iterator[bytes]:
    if zipfile.is_zipfile(io.BytesIO(data)):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            yield from (archive.read(name) for name in archive.namelist())


def _streams(data: bytes) -> Iterator[bytes]:
    """Yield what decompresses from every place that looks like the start of a stream, as far as it goes."""
    for start in _COMPRESSED.finditer(data):
        head = start.group()
        if head.startswith(b"BZ"):
            inner = _decompress(bz2.BZ2Decompressor(), data[start.start() :])
        elif head.startswith(b"\xfd"):
            inner = _decompress(lzma.LZMADecompressor(), data[start.start() :])
        else:
            inner = _inflate(data[start.start() :])
        if inner:
            yield inner


def _inflate(data: bytes) -> bytes:
    """Return as much as inflates, also of a stream that is cut short."""
    decompressor = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
    whole = b""
    try:
        for place in range(0, len(data), 4096):
            whole += decompressor.decompress(data[place : place + 4096])
            if decompressor.eof:
                break
    except zlib.error:
        return whole
    return whole


def _decompress(decompressor: bz2.BZ2Decompressor | lzma.LZMADecompressor, data: bytes) -> bytes:
    try:
        return decompressor.decompress(data)
    except (OSError, lzma.LZMAError, EOFError):
        return b""


def compress_with_gzip(data: bytes) -> bytes:
    """Return gzip bytes; for negative controls."""
    return gzip.compress(data)
