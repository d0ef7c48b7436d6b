"""What secure aggregation's messages look like on their way: names and bytes. Whatever is malformed is refused."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from models.errors import ProtocolRefusedError
from models.privacy.secure_aggregation.identity import CERTIFICATE_BYTES
from models.privacy.secure_aggregation.roster import Advertisement
from models.privacy.secure_aggregation.statements import SharedSecrets, UnmaskRequest

Value = bytes | list[int] | list[bytes]
Values = dict[str, Value]
"""A record's values by name."""

MASKED = "masked"
"""Name of the one array that a masked reply holds."""

_LENGTHS = (32, CERTIFICATE_BYTES, 32, 32, 64)
"""Bytes of an advertisement's fields, in order."""


def write_session(model_digest: bytes) -> Values:
    """Return what the request for keys says besides the task."""
    return {"model": model_digest}


def read_session(values: Mapping[str, Any]) -> bytes:
    """Return the digest of the model that the round will be about."""
    return _bytes(values, "model")


def write_advertisement(advertisement: Advertisement) -> Values:
    """Return a device's advertisement."""
    return {"advertisement": _pack(advertisement)}


def read_advertisement(values: Mapping[str, Any]) -> Advertisement:
    """Return a device's advertisement; nothing of it is verified yet."""
    return _unpack(_bytes(values, "advertisement"))


def write_roster(advertisements: Iterable[Advertisement]) -> Values:
    """Return a roster."""
    return {"roster": [_pack(advertisement) for advertisement in advertisements]}


def read_roster(values: Mapping[str, Any]) -> list[Advertisement]:
    """Return a roster's advertisements; nothing of them is verified yet."""
    return [_unpack(packed) for packed in _list(values, "roster", bytes)]


def write_shared(shared: SharedSecrets) -> Values:
    """Return a device's boxes."""
    return {"commitment": shared.commitment, **write_boxes(shared.boxes)}


def read_shared(values: Mapping[str, Any]) -> SharedSecrets:
    """Return a device's boxes."""
    return SharedSecrets(_bytes(values, "commitment"), read_boxes(values))


def write_boxes(boxes: Mapping[int, bytes]) -> Values:
    """Return boxes, or shares, by place."""
    return {"places": list(boxes), "boxes": list(boxes.values())}


def read_boxes(values: Mapping[str, Any]) -> dict[int, bytes]:
    """Return boxes, or shares, by place."""
    return _by_place(values, "places", "boxes")


def write_survivors(survivors: Sequence[int]) -> Values:
    """Return the survivors that devices are to sign."""
    return {"survivors": list(survivors)}


def read_survivors(values: Mapping[str, Any]) -> list[int]:
    """Return the survivors that a device is to sign."""
    return _list(values, "survivors", int)


def write_signature(signature: bytes) -> Values:
    """Return a device's signature."""
    return {"signature": signature}


def read_signature(values: Mapping[str, Any]) -> bytes:
    """Return a device's signature."""
    return _bytes(values, "signature")


def write_unmasking(request: UnmaskRequest) -> Values:
    """Return the request for shares."""
    return {
        "survivors": list(request.survivors),
        "dropped": list(request.dropped),
        "signers": list(request.signatures),
        "signatures": list(request.signatures.values()),
    }


def read_unmasking(values: Mapping[str, Any]) -> UnmaskRequest:
    """Return the request for shares."""
    survivors, dropped = (_list(values, name, int) for name in ("survivors", "dropped"))
    return UnmaskRequest(survivors, dropped, _by_place(values, "signers", "signatures"))


def _pack(ad: Advertisement) -> bytes:
    return ad.identity + ad.certificate + ad.mask_key + ad.box_key + ad.signature


def _unpack(packed: bytes) -> Advertisement:
    if len(packed) != sum(_LENGTHS):
        raise ProtocolRefusedError("an advertisement is malformed")
    ends = [sum(_LENGTHS[: place + 1]) for place in range(len(_LENGTHS))]
    return Advertisement(*(packed[end - length : end] for end, length in zip(ends, _LENGTHS, strict=True)))


def _by_place(values: Mapping[str, Any], places_name: str, items_name: str) -> dict[int, bytes]:
    places, items = _list(values, places_name, int), _list(values, items_name, bytes)
    if len(places) != len(items) or len(set(places)) != len(places):
        raise ProtocolRefusedError("a message is malformed")
    return dict(zip(places, items, strict=True))


def _bytes(values: Mapping[str, Any], name: str) -> bytes:
    value = values.get(name)
    if not isinstance(value, bytes):
        raise ProtocolRefusedError("a message is malformed")
    return value


def _list(values: Mapping[str, Any], name: str, kind: type) -> list[Any]:
    value = values.get(name)
    if not isinstance(value, list) or not all(type(item) is kind for item in value):
        raise ProtocolRefusedError("a message is malformed")
    return value
