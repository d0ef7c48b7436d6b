"""Devices, their secrets and keys, and the nonces they used, in the database."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from api.database import insert_if_absent
from api.devices.vault import SealedSecret
from api.tables import device_links, devices, next_secrets, nonces, training_keys
from models.domain.training_keys import PublicTrainingKeys


@dataclass(frozen=True, slots=True)
class StoredSecrets:
    """A device's secrets.

    Attributes:
        waiting: Handed out and not used yet.
    """

    current: SealedSecret
    waiting: SealedSecret | None


@dataclass(frozen=True, slots=True)
class StoredKeys:
    """What a device trains under.

    Attributes:
        registration: Name of the order that let its node in, ``None`` while it is out.
    """

    keys: PublicTrainingKeys
    registration: str | None


_SECRETS = (
    select(
        devices.c.sealed_secret,
        devices.c.encryption_key,
        next_secrets.c.sealed_secret,
        next_secrets.c.encryption_key,
    )
    .outerjoin(next_secrets, next_secrets.c.device_id == devices.c.id)
    .where(devices.c.id == bindparam("device"))
    .with_for_update(key_share=True, of=devices)
)


def add_device(connection: Connection, device_id: str, secret: SealedSecret) -> None:
    """Store a new device."""
    connection.execute(insert(devices).values(id=device_id, sealed_secret=secret.sealed, encryption_key=secret.key_id))


def find_secrets(connection: Connection, device_id: str) -> StoredSecrets | None:
    """Return a device's secrets, ``None`` where there is no such device.

    Until the transaction ends, other requests of the same device wait: a report can't slip past a withdrawal.
    """
    row = connection.execute(_SECRETS, {"device": device_id}).first()
    if row is None:
        return None
    sealed, key_id, next_sealed, next_key_id = row
    waiting = None if next_sealed is None else SealedSecret(next_sealed, next_key_id)
    return StoredSecrets(SealedSecret(sealed, key_id), waiting)


def lock_device(connection: Connection, device_id: str) -> None:
    """Let a device's own requests wait until the transaction ends."""
    connection.execute(select(devices.c.id).where(devices.c.id == device_id).with_for_update(key_share=True))


def set_waiting_secret(connection: Connection, device_id: str, secret: SealedSecret) -> None:
    """Store a secret that is to replace the current one when it is used."""
    connection.execute(delete(next_secrets).where(next_secrets.c.device_id == device_id))
    connection.execute(
        insert(next_secrets).values(device_id=device_id, sealed_secret=secret.sealed, encryption_key=secret.key_id)
    )


def confirm_secret(connection: Connection, device_id: str, secret: SealedSecret) -> None:
    """Put the waiting secret in the current one's place, which is destroyed."""
    replace_secret(connection, device_id, secret)
    connection.execute(delete(next_secrets).where(next_secrets.c.device_id == device_id))


def replace_secret(connection: Connection, device_id: str, secret: SealedSecret) -> None:
    """Store another current secret."""
    connection.execute(
        update(devices)
        .where(devices.c.id == device_id)
        .values(sealed_secret=secret.sealed, encryption_key=secret.key_id)
    )


def devices_sealed_otherwise(connection: Connection, key_id: str) -> list[str]:
    """Return the devices with a secret that another key sealed."""
    waiting = select(next_secrets.c.device_id).where(next_secrets.c.encryption_key != key_id)
    found = select(devices.c.id).where(devices.c.encryption_key != key_id).union(waiting)
    return list(connection.execute(found).scalars())


def remove_device(connection: Connection, device_id: str) -> None:
    """Delete a device and, by the tables' cascades, everything that is tied to it."""
    connection.execute(delete(devices).where(devices.c.id == device_id))


def add_training_keys(connection: Connection, device_id: str, keys: PublicTrainingKeys) -> bool:
    """Store what a device trains under; false where another device has one of the keys."""
    return insert_if_absent(
        connection, training_keys, device_id=device_id, node_key=keys.node_key, identity_key=keys.identity_key
    )


def find_training_keys(connection: Connection, device_id: str) -> StoredKeys | None:
    """Return what a device trains under."""
    row = connection.execute(select(training_keys).where(training_keys.c.device_id == device_id)).first()
    if row is None:
        return None
    return StoredKeys(PublicTrainingKeys(bytes(row.node_key), bytes(row.identity_key)), row.registration)


def set_registration(connection: Connection, device_id: str, order: str) -> None:
    """Remember which order let a device's node in."""
    connection.execute(update(training_keys).where(training_keys.c.device_id == device_id).values(registration=order))


def remove_training_keys(connection: Connection, device_id: str) -> None:
    """Delete what a device trains under."""
    connection.execute(delete(training_keys).where(training_keys.c.device_id == device_id))


def link_device(connection: Connection, device_id: str, person_id: str) -> None:
    """Say whose a device is, in place of whoever's it was."""
    unlink_device(connection, device_id)
    connection.execute(insert(device_links).values(device_id=device_id, person_id=person_id))


def unlink_device(connection: Connection, device_id: str) -> None:
    """Make a device nobody's."""
    connection.execute(delete(device_links).where(device_links.c.device_id == device_id))


def devices_of(connection: Connection, person_id: str) -> list[str]:
    """Return the ids of a person's devices."""
    wanted = select(device_links.c.device_id).where(device_links.c.person_id == person_id)
    return list(connection.execute(wanted.order_by(device_links.c.device_id)).scalars())


def use_nonce(connection: Connection, device_id: str, nonce: str, expires_at: int) -> bool:
    """Remember a nonce until its signature expires; false where the device used it before."""
    return insert_if_absent(connection, nonces, device_id=device_id, nonce=nonce, expires_at=expires_at)


def forget_nonces(connection: Connection, now: int) -> None:
    """Delete the nonces whose signatures are refused as expired anyway."""
    connection.execute(delete(nonces).where(nonces.c.expires_at < now))
