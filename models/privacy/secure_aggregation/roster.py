"""The roster: who takes part in a round, with the round's public keys, each signed by its device."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from models.domain.secure_aggregation import FEWEST_DEVICES
from models.errors import ProtocolRefusedError
from models.privacy.secure_aggregation.identity import Identity, is_certified, is_signed
from models.privacy.secure_aggregation.keys import KEY_BYTES
from models.privacy.secure_aggregation.session import Session, hash_parts


@dataclass(frozen=True, slots=True)
class Advertisement:
    """A device's part of the roster.

    Attributes:
        identity: Its public signing key, 32 bytes.
        certificate: The enrolment authority's word for it; see `Identity`.
        mask_key: Public X25519 key for masks, made for this round, 32 bytes.
        box_key: Public X25519 key for boxes, made for this round, 32 bytes.
        signature: The device's, over the session and both keys, 64 bytes.
    """

    identity: bytes
    certificate: bytes
    mask_key: bytes
    box_key: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class Roster:
    """Devices of a round in the order of their identities; a device's place is its number.

    Attributes:
        session: Digest of the session that all of them signed.
        advertisements: By place.
        digest: Stands for session and advertisements.
    """

    session: bytes
    advertisements: tuple[Advertisement, ...]
    digest: bytes

    def __len__(self) -> int:
        return len(self.advertisements)

    def place_of(self, advertisement: Advertisement) -> int | None:
        """Return a device's place, ``None`` where exactly this advertisement isn't in the roster."""
        return self.advertisements.index(advertisement) if advertisement in self.advertisements else None


def advertise(identity: Identity, mask_key: bytes, box_key: bytes, session: bytes) -> Advertisement:
    """Return a device's signed advertisement."""
    signature = identity.key.sign(_signed_part(session, mask_key, box_key))
    return Advertisement(identity.public_key, identity.certificate, mask_key, box_key, signature)


def is_genuine(advertisement: Advertisement, session: bytes, authority: bytes, now: float) -> bool:
    """Say whether a device whose certificate is good now signed this advertisement for this session."""
    ad = advertisement
    return (
        len(ad.mask_key) == len(ad.box_key) == KEY_BYTES
        and is_certified(authority, ad.identity, ad.certificate, now)
        and is_signed(ad.identity, _signed_part(session, ad.mask_key, ad.box_key), ad.signature)
    )


def verify_roster(session: Session, advertisements: Iterable[Advertisement], authority: bytes, now: float) -> Roster:
    """Return the roster, once everything about it is right.

    Raises:
        ProtocolRefusedError: It can't be one (see `compose_roster`), or holds an advertisement that no device with a
            certificate that is good now signed for this session.
    """
    roster = compose_roster(session, advertisements)
    if not all(is_genuine(advertisement, roster.session, authority, now) for advertisement in roster.advertisements):
        raise ProtocolRefusedError("the roster holds a forged advertisement")
    return roster


def compose_roster(session: Session, advertisements: Iterable[Advertisement]) -> Roster:
    """Return the roster of advertisements whose signatures were verified or are verified next.

    Raises:
        ProtocolRefusedError: It is not sorted, has too few or too many devices, or repeats a device or a key.
    """
    listed, digest = tuple(advertisements), session.digest()
    if not FEWEST_DEVICES <= len(listed) <= session.terms.most_devices:
        raise ProtocolRefusedError(f"{len(listed)} devices in the roster")
    identities = [advertisement.identity for advertisement in listed]
    if identities != sorted(set(identities)):
        raise ProtocolRefusedError("the roster is out of order or names a device twice")
    keys = [key for ad in listed for key in (ad.mask_key, ad.box_key)]
    if len(set(keys)) != len(keys):
        raise ProtocolRefusedError("the roster repeats a key")
    parts = [part for ad in listed for part in (ad.identity, ad.certificate, ad.mask_key, ad.box_key, ad.signature)]
    return Roster(digest, listed, hash_parts([b"roster", digest, *parts]))


def _signed_part(session: bytes, mask_key: bytes, box_key: bytes) -> bytes:
    return hash_parts([b"advertisement", session, mask_key, box_key])
