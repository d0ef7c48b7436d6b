"""The server's side of one secure round: a state machine without input or output.

Messages come in by ``take_*``; that a deadline has passed comes in by ``close_*``, which returns what is sent next.
When a stage ends is decided outside. A device's message that can't be right is refused and leaves that device out; it
never stops the round.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from models.domain.secure_aggregation import ThreatModel
from models.errors import ProtocolRefusedError, RoundAbortedError
from models.privacy.secure_aggregation.boxes import BOX_BYTES, is_mask_key_share, is_seed_share
from models.privacy.secure_aggregation.identity import MARGIN_SECONDS, is_signed
from models.privacy.secure_aggregation.keys import agree_mask_key, is_usable
from models.privacy.secure_aggregation.masks import MaskStream, Words
from models.privacy.secure_aggregation.neighbourhood import Neighbourhood, choose_neighbourhood, signatures_needed
from models.privacy.secure_aggregation.neighbours import draw_neighbours
from models.privacy.secure_aggregation.roster import Advertisement, Roster, compose_roster, is_genuine
from models.privacy.secure_aggregation.secret_sharing import combine_shares
from models.privacy.secure_aggregation.session import Session
from models.privacy.secure_aggregation.statements import SharedSecrets, UnmaskRequest, commit_seed, state_survivors


class ServerRound:
    """One attempt at one round. It learns the sum of the survivors' vectors, or nothing."""

    def __init__(self, session: Session, authority: bytes, length: int, now: float) -> None:
        """Begin.

        Args:
            session: What devices are asked to take part in.
            authority: Public key of the enrolment authority.
            length: Words in a vector.
            now: Seconds since the start of 1970: certificates that are over soon after it count for nothing.
        """
        self._session, self._authority, self._certified_at = session, authority, now + MARGIN_SECONDS
        self._advertisements: dict[bytes, Advertisement] = {}
        self._shared: dict[int, SharedSecrets] = {}
        self._sum = np.zeros(length, np.uint32)
        self._survivors: set[int] = set()
        self._signatures: dict[int, bytes] = {}
        self._revealed: dict[int, Mapping[int, bytes]] = {}
        self._liars: set[int] = set()

    def take_advertisement(self, advertisement: Advertisement) -> None:
        """Take in a device's keys.

        Raises:
            ProtocolRefusedError: They aren't signed by a certified device for this session, repeat, or are no keys.
        """
        taken = {key for ad in self._advertisements.values() for key in (ad.mask_key, ad.box_key)}
        if advertisement.identity in self._advertisements or taken & {advertisement.mask_key, advertisement.box_key}:
            raise ProtocolRefusedError("a device or a key repeats")
        if not (is_usable(advertisement.mask_key) and is_usable(advertisement.box_key)):
            raise ProtocolRefusedError("a public key is unusable")  # each of its neighbours would have to drop out
        if not is_genuine(advertisement, self._session.digest(), self._authority, self._certified_at):
            raise ProtocolRefusedError("an advertisement is forged")
        self._advertisements[advertisement.identity] = advertisement

    def close_advertising(self) -> Roster:
        """Return the roster, for every device in it.

        Raises:
            RoundAbortedError: Fewer devices than the quorum are there.
        """
        self._require_quorum(len(self._advertisements))
        listed = [self._advertisements[identity] for identity in sorted(self._advertisements)]
        self._roster = compose_roster(self._session, listed)  # each was verified as it came
        devices, terms = len(self._roster), self._session.terms
        self._shape = choose_neighbourhood(devices, terms.expected_dropout, terms.threat_model)
        self._neighbours = draw_neighbours(self._roster.digest, devices, self._shape.degree)
        return self._roster

    def take_shared(self, place: int, shared: SharedSecrets) -> None:
        """Take in a device's boxes.

        Raises:
            ProtocolRefusedError: They are not one for each of its neighbours, or not as long as boxes are.
        """
        if place not in range(len(self._roster)) or set(shared.boxes) != set(self._neighbours[place]):
            raise ProtocolRefusedError("boxes are not for the neighbours")
        if any(len(box) != BOX_BYTES for box in shared.boxes.values()):
            raise ProtocolRefusedError("a box is malformed")  # its neighbours would carry it for nothing
        self._shared[place] = shared

    def close_sharing(self) -> dict[int, dict[int, bytes]]:
        """Return each device's inbox: the boxes that its neighbours sent it.

        Raises:
            RoundAbortedError: Fewer devices than the quorum are left.
        """
        self._require_quorum(len(self._shared))
        return {
            place: {
                sender: self._shared[sender].boxes[place]
                for sender in self._neighbours[place]
                if sender in self._shared
            }
            for place in self._shared
        }

    def take_masked(self, place: int, vector: Words) -> None:
        """Add a device's masked vector to the sum.

        Raises:
            ProtocolRefusedError: It has another length or type, the device isn't expected, or it is there already.
        """
        if place not in self._shared or place in self._survivors:
            raise ProtocolRefusedError("a vector isn't expected")
        if vector.shape != self._sum.shape or vector.dtype != self._sum.dtype:
            raise ProtocolRefusedError("a vector has another shape")
        self._sum += vector
        self._survivors.add(place)

    def close_masking(self) -> tuple[int, ...]:
        """Return the places whose vectors are in the sum, sorted.

        Raises:
            RoundAbortedError: Fewer devices than the quorum are left.
        """
        self._require_quorum(len(self._survivors))
        return tuple(sorted(self._survivors))

    def take_signature(self, place: int, signature: bytes) -> None:
        """Take in a survivor's signature of the survivors.

        Raises:
            ProtocolRefusedError: It isn't theirs, or not of this list.
        """
        if place not in self._survivors:
            raise ProtocolRefusedError("a signature isn't expected")
        statement = state_survivors(self._roster, sorted(self._survivors))
        if not is_signed(self._roster.advertisements[place].identity, statement, signature):
            raise ProtocolRefusedError("a signature is wrong")
        self._signatures[place] = signature

    def close_signing(self) -> UnmaskRequest:
        """Return what each survivor is asked for.

        Raises:
            RoundAbortedError: Too few devices signed.
        """
        active = self._session.terms.threat_model is ThreatModel.ACTIVE
        if active and len(self._signatures) < signatures_needed(len(self._roster)):
            raise RoundAbortedError("too few devices signed")
        dropped = sorted(set(self._shared) - self._survivors)
        return UnmaskRequest(sorted(self._survivors), dropped, self._signatures)

    def take_revealed(self, place: int, shares: Mapping[int, bytes]) -> None:
        """Take in the shares that a survivor gives of its neighbours.

        A wrong one costs it all of them, and its neighbours one share each. Its vector stays in the sum: the others
        were told so, and gave shares accordingly.

        Raises:
            ProtocolRefusedError: It isn't a survivor, they are not its neighbours', or one isn't what it was dealt.
        """
        if place not in self._survivors or not set(shares) <= set(self._neighbours[place]):
            raise ProtocolRefusedError("shares are not of the neighbours")
        if not all(self._is_dealt(dealer, place, share) for dealer, share in shares.items()):
            self._liars.add(place)
            raise ProtocolRefusedError("a share is wrong")
        self._revealed[place] = shares

    def finish(self) -> Words:
        """Return the exact sum of the survivors' vectors modulo 2^32.

        Raises:
            RoundAbortedError: Too few right shares came, or a device dealt shares that don't make its secret.
        """
        stream = MaskStream(len(self._sum))
        for place in sorted(self._survivors):
            stream.subtract(self._sum, self._rebuild_seed(place))
        for place in sorted(set(self._shared) - self._survivors):
            self._remove_pairwise(place, self._rebuild_mask_key(place), stream)
        return self._sum

    @property
    def neighbourhood(self) -> Neighbourhood:
        """The shape of this round's graph."""
        return self._shape

    @property
    def wrong_shares(self) -> int:
        """Devices that gave wrong shares."""
        return len(self._liars)

    def _remove_pairwise(self, dropped: int, key: X25519PrivateKey, stream: MaskStream) -> None:
        """Remove the masks that survivors put on for a neighbour that sent no vector."""
        for place in self._neighbours[dropped]:
            if place in self._survivors:
                mask = agree_mask_key(key, self._roster.advertisements[place].mask_key, self._roster.session)
                (stream.subtract if place < dropped else stream.add)(self._sum, mask)

    def _rebuild_seed(self, place: int) -> bytes:
        seed = self._rebuild(place)
        if commit_seed(seed) != self._shared[place].commitment:
            raise RoundAbortedError("a device dealt wrong shares")
        return seed

    def _rebuild_mask_key(self, place: int) -> X25519PrivateKey:
        key = X25519PrivateKey.from_private_bytes(self._rebuild(place))
        if key.public_key().public_bytes_raw() != self._roster.advertisements[place].mask_key:
            raise RoundAbortedError("a device dealt wrong shares")
        return key

    def _rebuild(self, place: int) -> bytes:
        """Return a secret of a device from as many shares of it as are needed, by the holders' ranks from 1 on."""
        given = {
            rank: self._revealed[holder][place]
            for rank, holder in enumerate(self._neighbours[place], start=1)
            if place in self._revealed.get(holder, ())
        }
        if len(given) < self._shape.threshold:
            lied = f", {self.wrong_shares} gave wrong ones" if self._liars else ""
            raise RoundAbortedError("too few devices gave shares" + lied)
        try:
            return combine_shares(dict(list(given.items())[: self._shape.threshold]))
        except ProtocolRefusedError as error:
            raise RoundAbortedError("a device dealt wrong shares") from error

    def _is_dealt(self, dealer: int, holder: int, share: bytes) -> bool:
        """Say whether a share is the one that its dealer committed to, of the secret that is asked for."""
        if dealer not in self._shared:
            return False
        is_dealt = is_seed_share if dealer in self._survivors else is_mask_key_share
        return is_dealt(self._shared[dealer].boxes[holder], share)

    def _require_quorum(self, devices: int) -> None:
        if devices < self._session.terms.quorum:
            raise RoundAbortedError(f"{devices} devices are left, the quorum is {self._session.terms.quorum}")
