"""Messages as the bytes that a socket would carry, and a content that comes again written and read once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from flwr.app import Array, ArrayRecord, Message, RecordDict
from flwr.app.message import make_message
from flwr.common.serde import message_from_proto, message_to_proto, recorddict_from_proto, recorddict_to_proto
from flwr.common.serde_utils import metadata_from_proto, metadata_to_proto
from flwr.proto.message_pb2 import Message as ProtoMessage
from flwr.proto.recorddict_pb2 import Array as ProtoArray

CONTENT, ITEMS, KEY, VALUE, DATA = 2, 1, 1, 2, 4
"""Numbers of the fields that hold a message's content, a record's items, an item's key and value, an array's bytes."""

Parts = tuple[bytes, ...]
"""A content's bytes, one part after the other. Arrays' numbers are the parts at odd places, and are not copied."""


@dataclass(frozen=True, slots=True)
class Crossing:
    """A message's bytes in parts.

    Protocol Buffers reads a message's parts one after the other as the whole message (its encoding rules, "last one
    wins" and merging).

    Attributes:
        head: Who, to whom, when; and an error, if it is one.
        content: Everything else, if there is anything. The same object in all messages of one content.
    """

    head: bytes
    content: Parts

    @property
    def whole(self) -> bytes:
        """The message as it would cross a socket."""
        return b"".join((self.head, *self.content))


class MessageWriter:
    """Writes messages as `crossing_of` does, but a content that many of them share only once."""

    def __init__(self) -> None:
        self._content: RecordDict | None = None
        self._written: Parts = ()

    def write(self, message: Message) -> Crossing:
        """Return a message's bytes. Whoever sends the same content again hasn't changed it in between."""
        if not message.has_content():
            return crossing_of(message)
        if message.content is not self._content:
            self._content, self._written = message.content, _content(message.content)
        return Crossing(_head(message), self._written)


class MessageReader:
    """Reads messages as `message_from_bytes` does, but contents that differ in arrays' numbers only are parsed once.

    Each message has records of its own: what is done to one changes no other. Only bytes, which nobody can change, are
    shared.
    """

    def __init__(self) -> None:
        self._described: Parts = ()
        self._content = RecordDict()

    def read(self, crossing: Crossing) -> Message:
        """Return the message that crossed."""
        if not crossing.content:
            return message_from_bytes(crossing.head)
        described, numbers = crossing.content[::2], crossing.content[1::2]
        if described != self._described:  # it says how long the numbers are, too
            content = ProtoMessage.FromString(b"".join(crossing.content)).content
            self._described, self._content = described, recorddict_from_proto(content)
        metadata = metadata_from_proto(ProtoMessage.FromString(crossing.head).metadata)
        return make_message(metadata, _copied(self._content, iter(numbers)))


def crossing_of(message: Message) -> Crossing:
    """Return a message as it crosses a socket."""
    if message.has_content():
        return Crossing(_head(message), _content(message.content))
    return Crossing(message_to_proto(message).SerializeToString(), ())


def message_from_bytes(crossing: bytes) -> Message:
    """Return the message that crossed."""
    return message_from_proto(ProtoMessage.FromString(crossing))


def _head(message: Message) -> bytes:
    head: bytes = ProtoMessage(metadata=metadata_to_proto(message.metadata)).SerializeToString()
    return head


def _content(content: RecordDict) -> Parts:
    """Return the field of a message that holds its content.

    What `recorddict_to_proto` writes, but for arrays' numbers, which Protocol Buffers would copy several times.
    """
    parts = [b""]
    for name, record in content.items():
        if isinstance(record, ArrayRecord):
            of_record = _array_record(name, record)
            parts[-1] += of_record[0]
            parts += of_record[1:]
        else:
            parts[-1] += recorddict_to_proto(RecordDict({name: record})).SerializeToString()
    return (_opening(CONTENT, sum(map(len, parts))) + parts[0], *parts[1:])


def _array_record(name: str, record: ArrayRecord) -> list[bytes]:
    parts = []
    for key, array in record.items():
        parts += [_before_numbers(key, array.dtype, array.shape, array.stype, len(array.data)), array.data]
    parts.append(b"")
    length = sum(map(len, parts))
    opened = _named(name) + _opening(VALUE, length)
    parts[0] = _opening(ITEMS, len(opened) + length) + opened + parts[0]
    return parts


@lru_cache(maxsize=256)
def _before_numbers(key: str, dtype: str, shape: tuple[int, ...], stype: str, length: int) -> bytes:
    """Return an array's item as far as its numbers; they end it."""
    described: bytes = ProtoArray(dtype=dtype, shape=shape, stype=stype).SerializeToString()
    described += _opening(DATA, length)
    opened = _named(key) + _opening(VALUE, len(described) + length)
    return _opening(ITEMS, len(opened) + len(described) + length) + opened + described


def _named(name: str) -> bytes:
    written = name.encode()
    return _opening(KEY, len(written)) + written


def _opening(number: int, length: int) -> bytes:
    """Return what stands before a field's bytes: tag and length (Protocol Buffers' encoding, length-delimited)."""
    opening = bytearray([number << 3 | 2])
    while length > 127:
        opening.append(length & 127 | 128)
        length >>= 7
    opening.append(length)
    return bytes(opening)


def _copied(content: RecordDict, numbers: Iterator[bytes]) -> RecordDict:
    """Return a content of the same records, with other numbers in its arrays."""
    copied = RecordDict()
    for name, record in content.items():
        copied[name] = twin = record.copy()
        values = twin.__dict__["_data"]  # to set them by the record would check each, which was checked before
        for key, value in record.items():
            if isinstance(value, Array):
                values[key] = array = Array.__new__(Array)
                array.__dict__.update(value.__dict__, data=next(numbers))
            elif isinstance(value, list):  # all other values can't be changed
                values[key] = value.copy()
    return copied
