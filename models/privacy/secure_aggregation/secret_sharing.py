"""Shamir's secret sharing over a prime field, for secrets of 32 bytes.

Source: Shamir 1979. A share is the value of a random polynomial at the holder's point; the secret is its value at zero.
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Mapping
from functools import lru_cache

from models.errors import ProtocolRefusedError

PRIME = 2**256 + 297
"""The smallest prime above every number of 32 bytes."""

SECRET_BYTES, SHARE_BYTES = 32, 33


def split_secret(secret: bytes, holders: int, threshold: int) -> list[bytes]:
    """Return one share a holder; any ``threshold`` of them give the secret, fewer say nothing of it.

    Args:
        secret: 32 bytes.
        holders: Their points are 1 to ``holders``, in the order returned.
        threshold: From 1 to ``holders``.

    Raises:
        ProtocolRefusedError: The secret has another length, or the threshold can't be met.
    """
    if len(secret) != SECRET_BYTES or not 1 <= threshold <= holders:
        raise ProtocolRefusedError("a secret can't be shared so")
    polynomial = [int.from_bytes(secret), *(secrets.randbelow(PRIME) for _ in range(threshold - 1))]
    return [_value_at(point, polynomial).to_bytes(SHARE_BYTES) for point in range(1, holders + 1)]


def combine_shares(shares: Mapping[int, bytes]) -> bytes:
    """Return the secret whose shares these are, by the holders' points.

    Shares that don't belong together, or too few, give another secret or an error: the caller checks what came out.

    Raises:
        ProtocolRefusedError: A share is no element of the field, or what comes out is no secret.
    """
    if not all(map(is_share, shares.values())):
        raise ProtocolRefusedError("a share is malformed")
    values = [int.from_bytes(share) for share in shares.values()]
    weights = lagrange_weights(tuple(shares))
    secret = sum(weight * value for weight, value in zip(weights, values, strict=True)) % PRIME
    if secret >= 2 ** (8 * SECRET_BYTES):
        raise ProtocolRefusedError("shares don't belong together")
    return secret.to_bytes(SECRET_BYTES)


def is_share(share: bytes) -> bool:
    """Say whether these bytes are an element of the field, as every share is."""
    return len(share) == SHARE_BYTES and int.from_bytes(share) < PRIME


@lru_cache(maxsize=4096)
def lagrange_weights(points: tuple[int, ...]) -> tuple[int, ...]:
    """Return the factors of the values at these points in the value at zero; computed once for each set of holders."""
    # Points are small, so exact products are cheap; over one denominator there is a single inverse to compute.
    denominators = [own * math.prod(other - own for other in points if other != own) for own in points]
    common = math.lcm(*denominators)
    scale = math.prod(points) * pow(common, -1, PRIME) % PRIME
    return tuple(scale * (common // denominator) % PRIME for denominator in denominators)


def _value_at(point: int, polynomial: list[int]) -> int:
    value = 0
    for coefficient in reversed(polynomial):
        value = (value * point + coefficient) % PRIME
    return value
