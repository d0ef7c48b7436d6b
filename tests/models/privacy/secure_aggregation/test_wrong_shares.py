"""Devices that give or deal wrong shares: they are found, and the sum is exact while enough right shares are left."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.domain.secure_aggregation import ThreatModel
from models.errors import ProtocolRefusedError, RoundAbortedError
from models.privacy.secure_aggregation import device as device_side
from models.privacy.secure_aggregation.boxes import HeldShares
from models.privacy.secure_aggregation.device import DeviceRound, Stage
from models.privacy.secure_aggregation.neighbourhood import choose_neighbourhood
from models.privacy.secure_aggregation.secret_sharing import PRIME, SHARE_BYTES, split_secret
from models.privacy.secure_aggregation.server import ServerRound
from tests.secure_rounds import PlayedRound, sum_of, terms_for

CURIOUS = ThreatModel.HONEST_BUT_CURIOUS
DEVICES = 10
LOST = 9
"""A device whose vector never comes: shares of its mask key are asked for, of the others' seeds."""

Lie = Callable[[bytes, HeldShares], bytes]
"""Makes a wrong share of a right one; sees both that the liar holds."""

LIES: dict[str, Lie] = {
    "another number each time": lambda right, _: (int.from_bytes(right) * 3 % PRIME).to_bytes(SHARE_BYTES),
    "one more, as all other liars do": lambda right, _: ((int.from_bytes(right) + 1) % PRIME).to_bytes(SHARE_BYTES),
    "one bit of it is another": lambda right, _: right[:-1] + bytes([right[-1] ^ 1]),
    "the share of the other secret": lambda right, held: held.seed if right == held.mask_key else held.mask_key,
    "nothing": lambda _, __: b"",
    "no element of the field": lambda _, __: b"\xff" * SHARE_BYTES,
    "half of it": lambda right, _: right[: SHARE_BYTES // 2],
}


def without_the_lost(threat_model: ThreatModel = CURIOUS) -> PlayedRound:
    """Return a round in which one device loses its vector, and everybody is everybody's neighbour."""
    return PlayedRound(terms_for(DEVICES, threat_model, dropout=0.2), DEVICES, {LOST: Stage.MASK})


def ready_to_unmask(threat_model: ThreatModel = CURIOUS) -> PlayedRound:
    """Return such a round with everything before its last stage done."""
    played = without_the_lost(threat_model)
    for step in (played.advertise, played.share, played.mask, played.sign):
        step()
    return played


def most_liars(threat_model: ThreatModel) -> int:
    """Return how many may lie: of a secret's holders the lost one is gone, and a threshold has to be left."""
    shape = choose_neighbourhood(DEVICES, 0.2, threat_model)
    assert shape.degree == DEVICES - 1
    return shape.degree - 1 - shape.threshold


def unmask_with(played: PlayedRound, liars: set[int], lie: Lie, of: set[int] | None = None) -> np.ndarray:
    """Play the last stage; liars lie of the devices named, or of all of their neighbours. Return the sum."""
    dealers = {played.places[device] for device in (of if of is not None else range(played.devices))}
    for device in played.surviving(Stage.UNMASK):
        party, place = played.parties[device], played.places[device]
        held, shares = party._held, party.unmask(played.request)
        if device not in liars:
            played.server.take_revealed(place, shares)
            continue
        told = {dealer: lie(share, held[dealer]) if dealer in dealers else share for dealer, share in shares.items()}
        with pytest.raises(ProtocolRefusedError, match="a share is wrong"):
            played.server.take_revealed(place, told)
    return played.server.finish()


@settings(max_examples=40, deadline=None)
@given(data=st.data(), threat_model=st.sampled_from(ThreatModel), lie=st.sampled_from(sorted(LIES)))
def test_up_to_the_bound_all_liars_are_found_and_the_sum_is_exact(data, threat_model, lie):
    most = most_liars(threat_model)
    liars = data.draw(st.sets(st.integers(0, DEVICES - 2), max_size=most + 1))
    of = data.draw(st.none() | st.just({LOST}) | st.just({0, 1, LOST}))
    played = ready_to_unmask(threat_model)
    if len(liars) > most:
        with pytest.raises(RoundAbortedError, match=f"too few devices gave shares, {len(liars)} gave wrong ones"):
            unmask_with(played, liars, LIES[lie], of)
    else:
        assert np.array_equal(unmask_with(played, liars, LIES[lie], of), sum_of(list(range(DEVICES - 1))))
    assert played.server.wrong_shares == len(liars)


@pytest.mark.parametrize("threat_model", list(ThreatModel))
@pytest.mark.parametrize("lie", LIES)
@pytest.mark.parametrize("of", [{LOST}, {0}], ids=["a mask key", "a seed"])
def test_one_wrong_share_of_either_secret_costs_its_holder_and_not_the_round(threat_model, lie, of):
    played = ready_to_unmask(threat_model)
    assert np.array_equal(unmask_with(played, {1}, LIES[lie], of), sum_of(list(range(DEVICES - 1))))
    assert played.server.wrong_shares == 1


def test_one_liar_more_than_the_bound_ends_the_round_with_a_line_that_names_the_number():
    liars = set(range(most_liars(CURIOUS) + 1))
    with pytest.raises(RoundAbortedError) as aborted:
        unmask_with(ready_to_unmask(), liars, LIES["another number each time"])
    assert aborted.value.reason == "too few devices gave shares, 4 gave wrong ones"


def test_on_a_graph_of_neighbours_a_liar_costs_its_neighbours_one_share_each():
    devices = 40
    played = PlayedRound(terms_for(devices, CURIOUS, quorum=25, dropout=0.02), devices, {devices - 1: Stage.MASK})
    for step in (played.advertise, played.share, played.mask, played.sign):
        step()
    assert played.server.neighbourhood.degree < devices - 1
    total = unmask_with(played, {3, 20}, LIES["one more, as all other liars do"])
    assert np.array_equal(total, sum_of(list(range(devices - 1))))
    assert played.server.wrong_shares == 2


def test_a_server_that_doesnt_compare_shares_loses_the_round_to_one_liar(monkeypatch):
    """The negative control: those lies do harm, and nothing else than the comparison finds them."""
    monkeypatch.setattr(ServerRound, "_is_dealt", lambda *_: True)
    played = ready_to_unmask()
    liar = min(range(DEVICES - 1), key=played.places.__getitem__)  # the first shares are the ones that are used
    for device in played.surviving(Stage.UNMASK):
        shares = played.parties[device].unmask(played.request)
        if device == liar:
            shares = {dealer: LIES["another number each time"](share, None) for dealer, share in shares.items()}
        played.server.take_revealed(played.places[device], shares)
    with pytest.raises(RoundAbortedError, match="dealt wrong shares"):
        played.server.finish()


def test_honest_devices_are_never_counted_as_liars():
    played = ready_to_unmask()
    assert np.array_equal(played.unmask(), sum_of(list(range(DEVICES - 1))))
    assert played.server.wrong_shares == 0


def test_a_share_of_a_device_that_never_shared_is_wrong():
    played = PlayedRound(terms_for(6, CURIOUS), 6, {5: Stage.SHARE})
    for step in (played.advertise, played.share, played.mask, played.sign):
        step()
    with pytest.raises(ProtocolRefusedError, match="a share is wrong"):
        played.server.take_revealed(played.places[0], {played.places[5]: bytes(SHARE_BYTES)})


@pytest.mark.parametrize("at", [0, 32, -1], ids=["mask key's commitment", "seed's commitment", "sealed part"])
def test_a_dealer_cant_make_a_neighbour_look_like_a_liar(at):
    """What doesn't fit its commitment is never held, so never given; the dealer's secret lacks one share."""
    played = without_the_lost()
    played.advertise()
    honest, framed = played.parties[0].share, played.places[1]

    def share(advertisements):
        shared = honest(advertisements)
        box = bytearray(shared.boxes[framed])
        box[at] ^= 1
        return replace(shared, boxes={**shared.boxes, framed: bytes(box)})

    played.parties[0].share = share
    played.share()
    played.mask()
    assert played.parties[1]._held[played.places[0]] is None
    played.sign()
    assert np.array_equal(played.unmask(), sum_of(list(range(DEVICES - 1))))
    assert played.server.wrong_shares == 0


@pytest.mark.parametrize("dealer", [0, LOST], ids=["of its seed", "of its mask key"])
def test_a_dealer_whose_shares_dont_make_its_secret_ends_the_round_and_nobody_else_is_blamed(dealer, monkeypatch):
    played = without_the_lost()
    played.advertise()
    seal = DeviceRound._seal_boxes

    def seal_nonsense(party):
        dealt = split_secret if party is not played.parties[dealer] else lambda *_: split_secret(bytes(32), 9, 9)
        monkeypatch.setattr(device_side, "split_secret", dealt)
        return seal(party)

    monkeypatch.setattr(DeviceRound, "_seal_boxes", seal_nonsense)
    played.share()
    played.mask()
    played.sign()
    with pytest.raises(RoundAbortedError, match="a device dealt wrong shares"):
        played.unmask()
    assert played.server.wrong_shares == 0
