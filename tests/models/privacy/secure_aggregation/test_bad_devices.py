"""Devices that send what can't be right: they are left out or the round ends without a sum; a sum is never wrong."""

from __future__ import annotations

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from models.domain.secure_aggregation import ThreatModel
from models.errors import ProtocolRefusedError, RoundAbortedError
from models.privacy.secure_aggregation.device import Stage
from models.privacy.secure_aggregation.roster import advertise
from models.privacy.secure_aggregation.statements import SharedSecrets
from tests.secure_rounds import MODEL, PlayedRound, new_identity, play_until, sum_of, terms_for, vector_of

CURIOUS = ThreatModel.HONEST_BUT_CURIOUS


def test_a_box_that_doesnt_open_costs_one_share_and_not_the_round():
    played = PlayedRound(terms_for(6, CURIOUS), 6)
    played.advertise()
    inboxes = played.share()
    spoiled = inboxes[played.places[0]]
    spoiled[played.places[1]] = bytes(len(spoiled[played.places[1]]))
    played.mask()
    played.sign()
    assert np.array_equal(played.unmask(), sum_of(list(range(6))))


@pytest.mark.parametrize("weak", ["mask_key", "box_key"])
def test_a_public_key_that_nobody_can_agree_with_costs_its_device_and_not_the_round(weak):
    """In the roster it would make every neighbour refuse."""
    played = PlayedRound(terms_for(6, CURIOUS), 6)
    keys = {name: X25519PrivateKey.generate().public_key().public_bytes_raw() for name in ("mask_key", "box_key")}
    bad = advertise(new_identity(), session=played.session.digest(), **(keys | {weak: bytes(32)}))
    with pytest.raises(ProtocolRefusedError, match="unusable"):
        played.server.take_advertisement(bad)
    assert np.array_equal(played.play(), sum_of(list(range(6))))


def test_a_device_whose_boxes_mostly_dont_open_sends_no_vector():
    """So it is where the server shows devices different rosters: the key of each box depends on the roster."""
    played = play_until(Stage.MASK, CURIOUS, devices=6)
    inbox = {sender: bytes(len(box)) for sender, box in played.inboxes[0].items()}
    party = next(played.parties[device] for device, place in played.places.items() if place == 0)
    with pytest.raises(ProtocolRefusedError, match="too few neighbours"):
        party.mask(inbox, MODEL, lambda: vector_of(0))


def test_vectors_of_another_shape_type_or_stage_or_sent_twice_are_refused():
    played = play_until(Stage.MASK, CURIOUS)
    good = vector_of(0)
    for vector in (good[:-1], good.reshape(2, -1), good.astype(np.uint64), good.astype(np.float32)):
        with pytest.raises(ProtocolRefusedError, match="another shape"):
            played.server.take_masked(0, vector)
    played.server.take_masked(0, good)
    with pytest.raises(ProtocolRefusedError, match="isn't expected"):
        played.server.take_masked(0, good)
    with pytest.raises(ProtocolRefusedError, match="isn't expected"):
        played.server.take_masked(17, good)


def test_boxes_for_others_than_the_neighbours_are_refused():
    played = play_until(Stage.SHARE, CURIOUS)
    with pytest.raises(ProtocolRefusedError, match="not for the neighbours"):
        played.server.take_shared(0, SharedSecrets(bytes(32), {1: b"box"}))


def test_shares_from_others_or_of_others_are_refused():
    played = play_until(Stage.UNMASK, CURIOUS)
    for place, shares in ((9, {}), (0, {0: bytes(33)})):
        with pytest.raises(ProtocolRefusedError, match="not of the neighbours"):
            played.server.take_revealed(place, shares)


def test_wrong_signatures_are_refused():
    played = play_until(Stage.SIGN, ThreatModel.ACTIVE)
    signature = played.parties[0].sign(played.survivors)
    for place, wrong in ((played.places[1], signature), (played.places[0], bytes(64))):
        with pytest.raises(ProtocolRefusedError, match="signature is wrong"):
            played.server.take_signature(place, wrong)


def test_too_few_signatures_end_the_round():
    played = play_until(Stage.SIGN, ThreatModel.ACTIVE)
    played.server.take_signature(played.places[0], played.parties[0].sign(played.survivors))
    with pytest.raises(RoundAbortedError, match="too few devices signed"):
        played.server.close_signing()
