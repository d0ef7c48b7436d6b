"""How often may be tried to log in: counted by login name and by network address, neither of which is stored.

A count is kept under a keyed hash. Its key comes from the API's key folder and from a salt that is deleted with the
period, so that afterwards nobody, not even with the keys, can tell whom a backup's row counted. The counts are in the
database, so that several processes agree.
"""

from __future__ import annotations

import hmac
import ipaddress
import secrets
from dataclasses import dataclass

from sqlalchemy import Connection, delete, select

from api.database import dialect_insert, insert_if_absent
from api.keys import KeyRing
from api.tables import throttle_counts, throttle_periods

PERIOD_SECONDS = 900
"""Counts begin anew after this time."""

ATTEMPTS_A_NAME = 20
"""Logins under one name in a period; a login that succeeds clears them."""

ATTEMPTS_AN_ADDRESS = 60
"""Logins and sign-ups from one network address in a period."""

_SALT_BYTES = 32
_PURPOSE = b"hearsay throttle/1"


@dataclass(frozen=True, slots=True)
class Throttled:
    """An attempt that is one too many.

    Attributes:
        retry_after: Seconds until counts begin anew.
        is_first: Nobody was told so in this period yet.
    """

    retry_after: int
    is_first: bool


class Throttle:
    """Counts attempts in the period that is running, inside one transaction."""

    def __init__(self, connection: Connection, ring: KeyRing, now: float) -> None:
        self._connection, self._now = connection, now
        self._period = int(now) // PERIOD_SECONDS
        self._key = hmac.digest(ring.keys[ring.current], _PURPOSE + self._salt(), "sha256")

    def count_attempt(self, address: str, name: str | None = None) -> Throttled | None:
        """Count an attempt from an address, under a name where one was given, and say whether it is one too many."""
        counts = [(self._count(_network(address)), ATTEMPTS_AN_ADDRESS)]
        if name is not None:
            counts.append((self._count(f"name {name}"), ATTEMPTS_A_NAME))
        if all(count <= limit for count, limit in counts):
            return None
        is_first = any(count == limit + 1 for count, limit in counts)
        return Throttled((self._period + 1) * PERIOD_SECONDS - int(self._now), is_first)

    def forgive(self, name: str) -> None:
        """Forget the attempts under a name, after one that succeeded."""
        row = throttle_counts.c
        self._connection.execute(
            delete(throttle_counts).where(row.period == self._period, row.subject == self._subject(f"name {name}"))
        )

    def _count(self, what: str) -> int:
        statement = dialect_insert(self._connection.dialect.name, throttle_counts).values(
            period=self._period, subject=self._subject(what), attempts=1
        )
        counted = statement.on_conflict_do_update(
            index_elements=["period", "subject"], set_={"attempts": throttle_counts.c.attempts + 1}
        ).returning(throttle_counts.c.attempts)
        return int(self._connection.execute(counted).scalar_one())

    def _subject(self, what: str) -> str:
        return hmac.digest(self._key, what.encode(), "sha256").hex()

    def _salt(self) -> bytes:
        insert_if_absent(self._connection, throttle_periods, number=self._period, salt=secrets.token_bytes(_SALT_BYTES))
        wanted = select(throttle_periods.c.salt).where(throttle_periods.c.number == self._period)
        return bytes(self._connection.execute(wanted).scalar_one())


def forget_attempts(connection: Connection, now: float) -> None:
    """Delete the salts and the counts of the periods that are over."""
    connection.execute(delete(throttle_periods).where(throttle_periods.c.number < int(now) // PERIOD_SECONDS))


def _network(address: str) -> str:
    """Return what one customer of a network has: an IPv4 address, or the first 64 bits of an IPv6 one."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return "address unknown"
    if isinstance(found, ipaddress.IPv6Address):
        mapped = found.ipv4_mapped
        return f"address {mapped or ipaddress.ip_network((found, 64), strict=False)}"
    return f"address {found}"
