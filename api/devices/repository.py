"""Devices and the nonces they used, in the database."""

from __future__ import annotations

from sqlalchemy import Connection, delete, insert, select

from api.database import insert_if_absent
from api.devices.vault import SealedSecret
from api.tables import devices, nonces


def add_device(connection: Connection, device_id: str, secret: SealedSecret) -> None:
    """Store a new device."""
    connection.execute(insert(devices).values(id=device_id, sealed_secret=secret.sealed, encryption_key=secret.key_id))


def find_secret(connection: Connection, device_id: str) -> SealedSecret | None:
    """Return a device's sealed secret, ``None`` where there is no such device."""
    row = connection.execute(
        select(devices.c.sealed_secret, devices.c.encryption_key).where(devices.c.id == device_id)
    ).first()
    return None if row is None else SealedSecret(row.sealed_secret, row.encryption_key)


def remove_device(connection: Connection, device_id: str) -> None:
    """Delete a device and, by the tables' cascades, everything that is tied to it."""
    connection.execute(delete(devices).where(devices.c.id == device_id))


def use_nonce(connection: Connection, device_id: str, nonce: str, expires_at: int) -> bool:
    """Remember a nonce until its signature expires; false where the device used it before."""
    return insert_if_absent(connection, nonces, device_id=device_id, nonce=nonce, expires_at=expires_at)


def forget_nonces(connection: Connection, now: int) -> None:
    """Delete the nonces whose signatures are refused as expired anyway."""
    connection.execute(delete(nonces).where(nonces.c.expires_at < now))
