"""Messages as the bytes that a socket would carry, and a content that many devices are sent written and read once."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass

from flwr.app import Array, ArrayRecord, Message, RecordDict
from flwr.app.message import make_message
from flwr.common.serde import message_from_proto, message_to_proto, recorddict_from_proto, recorddict_to_proto
from flwr.common.serde_utils import metadata_from_proto, metadata_to_proto
from flwr.proto.message_pb2 import Message as ProtoMessage
from flwr.proto.recorddict_pb2 import Array as ProtoArray

CONTENT, ITEMS, KEY, VALUE, DATA = 2, 1, 1, 2, 4
"""Numbers of the fields that hold a message's content, a record's items, an item's key and value, an array's bytes."""


@dataclass(frozen=True, slots=True)
class Crossing:
    """A message's bytes in two parts; empty ones are left out of a message.

    Protocol Buffers reads a message's parts one after the other as the whole message (its encoding rules, "last one
    wins" and merging).

    Attributes:
        head: Who, to whom, when; and an error, if it is one.
        content: Everything else. The same object in all messages of one content.
    """

    head: bytes
    content: bytes

    @property
    def whole(self) -> bytes:
        """The message as it would cross a socket."""
        return self.head + self.content


class MessageWriter:
    """Writes messages as `message_to_bytes` does, but a content that many of them share only once."""

    def __init__(self) -> None:
        self._content: RecordDict | None = None
        self._written = b""

    def write(self, message: Message) -> Crossing:
        """Return a message's bytes. Whoever sends the same content again hasn't changed it in between."""
        if not message.has_content():
            return Crossing(message_to_bytes(message), b"")
        if message.content is not self._content:
            self._content = message.content
            self._written = b"".join(_content(message.content))
        return Crossing(_head(message), self._written)


class MessageReader:
    """Reads messages as `message_from_bytes` does, but a content that comes again only once.

    Each message has records of its own: what is done to one changes no other. Only the numbers' bytes, which nobody
    can change, are shared.
    """

    def __init__(self) -> None:
        self._read, self._content = b"", RecordDict()

    def read(self, crossing: Crossing) -> Message:
        """Return the message that crossed."""
        if not crossing.content:
            return message_from_bytes(crossing.head)
        if crossing.content != self._read:
            content = ProtoMessage.FromString(crossing.content).content
            self._read, self._content = crossing.content, recorddict_from_proto(content)
        metadata = metadata_from_proto(ProtoMessage.FromString(crossing.head).metadata)
        return make_message(metadata, _copied(self._content))


def message_to_bytes(message: Message) -> bytes:
    """Return a message as it crosses a socket."""
    return b"".join(message_parts(message))


def message_parts(message: Message) -> tuple[bytes, ...]:
    """Return a message as it crosses a socket, in parts: its arrays' numbers are not copied."""
    if message.has_content():
        return (_head(message), *_content(message.content))
    return (message_to_proto(message).SerializeToString(),)


def message_from_bytes(crossing: bytes) -> Message:
    """Return the message that crossed."""
    return message_from_proto(ProtoMessage.FromString(crossing))


def _head(message: Message) -> bytes:
    head: bytes = ProtoMessage(metadata=metadata_to_proto(message.metadata)).SerializeToString()
    return head


def _content(content: RecordDict) -> list[bytes]:
    """Return the field of a message that holds its content, in parts.

    What `recorddict_to_proto` writes, but for arrays' numbers, which Protocol Buffers would copy several times.
    """
    parts = []
    for name, record in content.items():
        if isinstance(record, ArrayRecord):
            arrays = [part for named in record.items() for part in _field(ITEMS, *_array(*named))]
            parts += _field(ITEMS, *_field(KEY, name.encode()), *_field(VALUE, *arrays))
        else:
            parts.append(recorddict_to_proto(RecordDict({name: record})).SerializeToString())
    return _field(CONTENT, *parts)


def _array(name: str, array: Array) -> list[bytes]:
    described = ProtoArray(dtype=array.dtype, shape=array.shape, stype=array.stype).SerializeToString()
    return [*_field(KEY, name.encode()), *_field(VALUE, described, *_field(DATA, array.data))]


def _field(number: int, *parts: bytes) -> list[bytes]:
    """Return a field of bytes in parts: tag, length, value (Protocol Buffers, "Encoding", length-delimited records)."""
    length, size = sum(map(len, parts)), bytearray([number << 3 | 2])
    while length > 127:
        size.append(length & 127 | 128)
        length >>= 7
    size.append(length)
    return [bytes(size), *parts]


def _copied(content: RecordDict) -> RecordDict:
    copied = RecordDict()
    for name, record in content.items():
        copied[name] = twin = record.copy()
        for key, value in record.items():
            if isinstance(value, Array | list):  # all other values can't be changed
                twin[key] = copy(value)  # type: ignore[assignment]  # of the record's own kind
    return copied
