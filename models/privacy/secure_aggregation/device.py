"""The device's side of one secure round: a state machine without input or output.

Source: Bonawitz et al. 2017 (pairwise and own masks, dropout recovery, the consistency check), Bell et al. 2020 (a
graph of neighbours). The stages are those of Bonawitz et al., figure 4: advertise keys, share keys, masked
input, consistency check (against an active server only), unmasking.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from enum import IntEnum

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from models.domain.secure_aggregation import ThreatModel
from models.errors import ProtocolRefusedError
from models.privacy.secure_aggregation.boxes import HeldShares, open_shares, seal_shares
from models.privacy.secure_aggregation.identity import Identity, is_signed
from models.privacy.secure_aggregation.keys import KEY_BYTES, agree_box_key, agree_mask_key
from models.privacy.secure_aggregation.masks import MaskStream, Words
from models.privacy.secure_aggregation.neighbourhood import choose_neighbourhood, signatures_needed
from models.privacy.secure_aggregation.neighbours import draw_neighbours
from models.privacy.secure_aggregation.roster import Advertisement, advertise, verify_roster
from models.privacy.secure_aggregation.secret_sharing import split_secret
from models.privacy.secure_aggregation.session import Session
from models.privacy.secure_aggregation.statements import SharedSecrets, UnmaskRequest, commit_seed, state_survivors


class Stage(IntEnum):
    """What the device does next. It goes forward only, and a refusal ends it: nothing can be asked twice."""

    ADVERTISE = 0
    SHARE = 1
    MASK = 2
    SIGN = 3
    UNMASK = 4
    OVER = 5


class DeviceRound:
    """One device in one attempt at one round. Its keys and its seed are made here and die with it."""

    def __init__(self, identity: Identity, authority: bytes, session: Session, now: float) -> None:
        """Draw fresh keys.

        Args:
            identity: The device's long-lived key with its certificate.
            authority: Public key of the enrolment authority, from a source that the server can't change.
            session: What the device was asked to take part in, as it understood it.
            now: Seconds since the start of 1970: certificates that are over by then count for nothing.
        """
        self._identity, self._authority, self._session, self._now = identity, authority, session, now
        self._mask_key, self._box_key = X25519PrivateKey.generate(), X25519PrivateKey.generate()
        self._seed = os.urandom(KEY_BYTES)
        self._stage = Stage.ADVERTISE
        self._held: dict[int, HeldShares | None] = {}
        self._signed: bytes | None = None

    def advertise(self) -> Advertisement:
        """Return the round's public keys, signed together with the session."""
        self._enter(Stage.ADVERTISE)
        mask_key, box_key = (key.public_key().public_bytes_raw() for key in (self._mask_key, self._box_key))
        self._advertisement = advertise(self._identity, mask_key, box_key, self._session.digest())
        self._stage = Stage.SHARE
        return self._advertisement

    def share(self, advertisements: Sequence[Advertisement]) -> SharedSecrets:
        """Check the roster and return a box for each neighbour, with shares of this device's two secrets.

        Raises:
            ProtocolRefusedError: The roster is wrong in any way (see ``verify_roster``), or lacks this device.
        """
        self._enter(Stage.SHARE)
        self._roster = verify_roster(self._session, advertisements, self._authority, self._now)
        place = self._roster.place_of(self._advertisement)
        if place is None:
            raise ProtocolRefusedError("this device isn't in the roster")
        self._place = place
        terms = self._session.terms
        shape = choose_neighbourhood(len(self._roster), terms.expected_dropout, terms.threat_model)
        self._threshold = shape.threshold
        self._neighbours = draw_neighbours(self._roster.digest, len(self._roster), shape.degree)[place]
        boxes = self._seal_boxes()
        self._stage = Stage.MASK
        return SharedSecrets(commit_seed(self._seed), boxes)

    def mask(self, inbox: Mapping[int, bytes], model_digest: bytes, train: Callable[[], Words]) -> Words:
        """Return a vector under this device's own mask and one mask with each neighbour that shared its secrets.

        Args:
            inbox: A box from each neighbour that is left, by place.
            model_digest: Of the model that the vector is trained from.
            train: Gives the vector: whole numbers modulo 2^32, shape (d,). Called once, when nothing here can be
                refused any more: training costs budget. The vector is sensitive, and masked in its place.

        Raises:
            ProtocolRefusedError: The model is another than this device signed, a box is from no neighbour, a
                neighbour's key is unusable, or too few neighbours are left to be safe among.
        """
        self._enter(Stage.MASK)
        if model_digest != self._session.model_digest:
            raise ProtocolRefusedError("the model is another than this device signed")
        if not set(inbox) <= set(self._neighbours):
            raise ProtocolRefusedError("a box is from no neighbour")
        self._held = {sender: self._open_box(sender, box) for sender, box in sorted(inbox.items())}
        if sum(held is not None for held in self._held.values()) < self._threshold:
            raise ProtocolRefusedError("too few neighbours are left")
        keys = {other: self._mask_key_with(other) for other in self._held}
        masked = train()
        stream = MaskStream(len(masked))
        stream.add(masked, self._seed)
        for other, key in keys.items():
            (stream.add if self._place < other else stream.subtract)(masked, key)
        active = self._session.terms.threat_model is ThreatModel.ACTIVE
        self._stage = Stage.SIGN if active else Stage.UNMASK
        return masked

    def sign(self, survivors: Sequence[int]) -> bytes:
        """Return this device's signature of whose vectors are in the sum, with round, model and roster.

        Raises:
            ProtocolRefusedError: The survivors are malformed, below the quorum, or leave this device out.
        """
        self._enter(Stage.SIGN)
        self._require_survivors(survivors)
        self._signed = state_survivors(self._roster, survivors)
        self._stage = Stage.UNMASK
        return self._identity.key.sign(self._signed)

    def unmask(self, request: UnmaskRequest) -> dict[int, bytes]:
        """Return one share of each neighbour: of its seed if it is in the sum, of its mask key if it dropped out.

        Raises:
            ProtocolRefusedError: Both kinds of one neighbour are asked for, the survivors are not those that this
                device and enough others signed, or they are too few.
        """
        self._enter(Stage.UNMASK)
        self._require_survivors(request.survivors)
        if set(request.survivors) & set(request.dropped):
            raise ProtocolRefusedError("both shares of one neighbour are asked for")
        if self._session.terms.threat_model is ThreatModel.ACTIVE:
            self._require_agreement(request)
        seeds = {place: held.seed for place, held in self._asked(request.survivors)}
        mask_keys = {place: held.mask_key for place, held in self._asked(request.dropped)}
        self._stage = Stage.OVER
        return seeds | mask_keys

    def _enter(self, stage: Stage) -> None:
        """Refuse what isn't next. Whatever fails from here on leaves the device out of the round for good."""
        expected, self._stage = self._stage, Stage.OVER
        if stage is not expected:
            raise ProtocolRefusedError("this stage isn't next")

    def _seal_boxes(self) -> dict[int, bytes]:
        secrets = (self._mask_key.private_bytes_raw(), self._seed)
        mask_keys, seeds = (split_secret(secret, len(self._neighbours), self._threshold) for secret in secrets)
        return {
            place: seal_shares(HeldShares(mask_keys[rank], seeds[rank]), self._box_key_with(place, own_sends=True))
            for rank, place in enumerate(self._neighbours)
        }

    def _open_box(self, sender: int, box: bytes) -> HeldShares | None:
        """Return a neighbour's shares. One that doesn't open is the neighbour's fault, and no reason to drop out."""
        try:
            return open_shares(box, self._box_key_with(sender, own_sends=False))
        except ProtocolRefusedError:
            return None

    def _mask_key_with(self, place: int) -> bytes:
        return agree_mask_key(self._mask_key, self._roster.advertisements[place].mask_key, self._roster.session)

    def _box_key_with(self, place: int, *, own_sends: bool) -> bytes:
        other, own = self._roster.advertisements[place].box_key, self._advertisement.box_key
        sender, receiver = (own, other) if own_sends else (other, own)
        return agree_box_key(self._box_key, other, self._roster.digest, sender, receiver)

    def _require_survivors(self, survivors: Sequence[int]) -> None:
        places = range(len(self._roster))
        if list(survivors) != sorted(set(survivors)) or not set(survivors) <= set(places):
            raise ProtocolRefusedError("the survivors are malformed")
        if self._place not in survivors or len(survivors) < self._session.terms.quorum:
            raise ProtocolRefusedError("the survivors are below the quorum or leave this device out")
        if set(survivors) & set(self._neighbours) - set(self._held):
            raise ProtocolRefusedError("a survivor never shared its secrets")

    def _require_agreement(self, request: UnmaskRequest) -> None:
        statement = state_survivors(self._roster, request.survivors)
        if statement != self._signed:
            raise ProtocolRefusedError("the survivors are others than this device signed")
        if not set(request.signatures) <= set(request.survivors):
            raise ProtocolRefusedError("somebody signed who isn't a survivor")
        signed = sum(
            is_signed(self._roster.advertisements[place].identity, statement, signature)
            for place, signature in request.signatures.items()
        )
        if signed < signatures_needed(len(self._roster)):
            raise ProtocolRefusedError("too few devices signed the same survivors")

    def _asked(self, places: Sequence[int]) -> list[tuple[int, HeldShares]]:
        return [(place, held) for place in places if (held := self._held.get(place)) is not None]
