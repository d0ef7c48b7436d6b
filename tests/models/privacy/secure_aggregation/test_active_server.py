"""A server that departs from the protocol: each departure is refused by the devices, and each check can fail."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from models.domain.secure_aggregation import ThreatModel
from models.errors import ProtocolRefusedError
from models.privacy.secure_aggregation.device import DeviceRound, Stage
from models.privacy.secure_aggregation.identity import LIFETIME_SECONDS, MARGIN_SECONDS, is_certified
from models.privacy.secure_aggregation.keys import agree_box_key
from models.privacy.secure_aggregation.roster import advertise
from models.privacy.secure_aggregation.secret_sharing import combine_shares
from models.privacy.secure_aggregation.statements import UnmaskRequest, state_survivors
from tests.secure_rounds import (
    AUTHORITY,
    LENGTH,
    MODEL,
    NOW,
    PlayedRound,
    new_identity,
    play_until,
    session_with,
    terms_for,
    vector_of,
)

CURIOUS, ACTIVE = ThreatModel.HONEST_BUT_CURIOUS, ThreatModel.ACTIVE
BOTH = pytest.mark.parametrize("threat_model", list(ThreatModel))


def refused(reason: str):
    return pytest.raises(ProtocolRefusedError, match=reason)


def tell_two_lists(threat_model: ThreatModel) -> tuple[PlayedRound, dict[int, bytes], dict[int, bytes]]:
    """Tell three honest devices that the victim survived and three that it dropped out; two more are the server's own.

    Returns:
        The round, and the shares of the victim's seed and of its mask key that the server gets, by the holders' ranks.
    """
    played = play_until(Stage.SIGN, threat_model, devices=9)
    victim, traitors = played.places[0], (7, 8)
    alive = list(played.survivors)
    dead = [place for place in alive if place != victim]
    ranks = {device: [p for p in range(9) if p != victim].index(played.places[device]) + 1 for device in range(1, 9)}
    gained = []
    for told, dropped, honest in ((alive, [], (1, 2, 3)), (dead, [victim], (4, 5, 6))):
        signatures = {}
        if threat_model is ACTIVE:
            signatures = {played.places[device]: played.parties[device].sign(told) for device in honest}
            statement = state_survivors(played.roster, told)
            for device in traitors:
                signatures[played.places[device]] = played.parties[device]._identity.key.sign(statement)
        request = UnmaskRequest(told, dropped, signatures)
        gained.append({ranks[device]: played.parties[device].unmask(request)[victim] for device in honest})
    seeds, mask_keys = gained
    for device in traitors:
        held = played.parties[device]._held[victim]
        seeds[ranks[device]], mask_keys[ranks[device]] = held.seed, held.mask_key
    return played, seeds, mask_keys


def test_two_survivor_lists_are_caught_where_devices_compare_what_they_signed():
    with refused("too few devices signed"):
        tell_two_lists(ACTIVE)


def test_without_the_consistency_stage_two_lists_and_two_traitors_open_both_secrets_of_a_device():
    """The negative control: nothing stops an active server where devices believe it to be honest but curious."""
    played, seeds, mask_keys = tell_two_lists(CURIOUS)
    assert combine_shares(seeds) == played.parties[0]._seed
    assert combine_shares(mask_keys) == played.parties[0]._mask_key.private_bytes_raw()


def test_signatures_of_another_list_roster_or_round_dont_count():
    played = play_until(Stage.SIGN, ACTIVE, devices=6)
    survivors, roster = played.survivors, played.roster
    other_roster = replace(roster, digest=b"r" * 32)
    other_round = replace(roster, session=session_with(played.terms, round_number=2).digest())
    forgeries = [(other_roster, survivors), (other_round, survivors), (roster, survivors[:-1])]
    for device, (told, places) in enumerate(forgeries):
        for party in played.parties:
            party._stage = Stage.SIGN
            party.sign(survivors)
        signatures = {
            played.places[number]: party._identity.key.sign(state_survivors(told, places))
            for number, party in enumerate(played.parties)
        }
        with refused("too few devices signed"):
            played.parties[device].unmask(UnmaskRequest(survivors, [], signatures))


def test_signatures_of_strangers_and_one_signature_under_several_names_dont_count():
    played = play_until(Stage.UNMASK, ACTIVE, devices=6)
    (first, signature) = next(iter(played.request.signatures.items()))
    copied = dict.fromkeys(played.survivors, signature)
    with refused("too few devices signed"):
        played.parties[0].unmask(UnmaskRequest(played.survivors, [], copied))
    with refused("isn't a survivor"):
        played.parties[1].unmask(UnmaskRequest(played.survivors, [], {**played.request.signatures, 99: signature}))
    assert played.parties[2].unmask(played.request)
    assert first in played.survivors


def test_a_device_unmasks_only_the_survivors_that_it_signed():
    played = play_until(Stage.UNMASK, ACTIVE, devices=6)
    fewer = [place for place in played.survivors if place != played.places[5]]
    with refused("others than this device signed"):
        played.parties[0].unmask(UnmaskRequest(fewer, [played.places[5]], played.request.signatures))


@BOTH
def test_both_shares_of_one_neighbour_are_never_given(threat_model):
    played = play_until(Stage.UNMASK, threat_model)
    with refused("both shares"):
        played.parties[0].unmask(replace(played.request, dropped=[played.places[1]]))
    with refused("isn't next"):  # nor the second kind later
        played.parties[0].unmask(played.request)


@BOTH
def test_nothing_is_given_twice(threat_model):
    played = play_until(Stage.UNMASK, threat_model)
    played.parties[0].unmask(played.request)
    with refused("isn't next"):
        played.parties[0].unmask(played.request)
    with refused("isn't next"):
        played.parties[0].mask(played.inboxes[played.places[0]], MODEL, lambda: vector_of(1))


@BOTH
def test_a_device_masks_once_and_only_under_the_model_that_it_signed(threat_model):
    played = play_until(Stage.MASK, threat_model)
    inbox = played.inboxes[played.places[0]]
    with refused("another than this device signed"):
        played.parties[0].mask(inbox, b"n" * 32, lambda: vector_of(0))
    with refused("isn't next"):
        played.parties[0].mask(inbox, MODEL, lambda: vector_of(0))
    played.parties[1].mask(played.inboxes[played.places[1]], MODEL, lambda: vector_of(1))
    with refused("isn't next"):
        played.parties[1].mask(played.inboxes[played.places[1]], MODEL, lambda: vector_of(1))


@BOTH
def test_below_the_quorum_nobody_unmasks(threat_model):
    played = play_until(Stage.SIGN, threat_model, devices=6, quorum=5)
    few = played.survivors[:4]
    outside, inside = ([d for d, place in played.places.items() if (place in few) is told] for told in (False, True))
    step = (lambda party, told: party.sign(told)) if threat_model is ACTIVE else unmask_plainly
    for device in (inside[0], outside[0]):
        with refused("below the quorum"):
            step(played.parties[device], few)


@BOTH
def test_a_device_whose_vector_is_left_out_unmasks_nothing_for_the_others(threat_model):
    played = play_until(Stage.SIGN, threat_model, devices=6)
    others = [place for place in played.survivors if place != played.places[0]]
    step = (lambda party, told: party.sign(told)) if threat_model is ACTIVE else unmask_plainly
    with refused("leave this device out"):
        step(played.parties[0], others)


@BOTH
def test_a_box_from_whoever_is_no_neighbour_is_refused(threat_model):
    played = play_until(Stage.MASK, threat_model)
    own = played.places[0]
    with refused("from no neighbour"):
        played.parties[0].mask({**played.inboxes[own], own: b"box"}, MODEL, lambda: vector_of(0))


def unmask_plainly(party: DeviceRound, survivors) -> dict[int, bytes]:
    return party.unmask(UnmaskRequest(survivors, [], {}))


@BOTH
@pytest.mark.parametrize("survivors", [[0, 0, 1, 2], [2, 1, 0], [0, 1, 2, 77], [-1, 0, 1, 2]])
def test_malformed_survivors_are_refused(threat_model, survivors):
    played = play_until(Stage.SIGN, threat_model)
    step = (lambda party, told: party.sign(told)) if threat_model is ACTIVE else unmask_plainly
    with refused("malformed"):
        step(played.parties[0], survivors)


def test_a_survivor_that_never_shared_is_refused():
    played = play_until(Stage.MASK, CURIOUS, devices=5)
    first, gone = played.places[0], played.places[4]
    inbox = {sender: box for sender, box in played.inboxes[first].items() if sender != gone}
    played.parties[0].mask(inbox, MODEL, lambda: vector_of(0))
    with refused("never shared"):
        unmask_plainly(played.parties[0], range(5))


def advertised(devices: int = 5):
    """Return a round's devices and their advertisements, in the roster's order."""
    played = PlayedRound(terms_for(devices + 1, ACTIVE), devices)
    return played, list(played.advertise().advertisements)


def in_order(advertisements):
    return sorted(advertisements, key=lambda ad: ad.identity)


def key_bytes() -> bytes:
    return X25519PrivateKey.generate().public_key().public_bytes_raw()


def forged_rosters() -> dict[str, tuple[str, object]]:
    stranger = new_identity(Ed25519PrivateKey.generate())
    elsewhere = session_with(terms_for(6, ACTIVE), round_number=2).digest()
    return {
        "a key of the server's in a device's place": (
            "forged",
            lambda ads, session, own: [ads[own], *(replace(ad, mask_key=key_bytes()) for ad in others(ads, own))],
        ),
        "a device that nobody certified": (
            "forged",
            lambda ads, session, own: [*ads, advertise(stranger, key_bytes(), key_bytes(), session)],
        ),
        "an advertisement of another round": (
            "forged",
            lambda ads, session, own: [*ads, advertise(new_identity(), key_bytes(), key_bytes(), elsewhere)],
        ),
        "a key twice": (
            "repeats a key",
            lambda ads, session, own: [*ads, advertise(new_identity(), ads[own].mask_key, key_bytes(), session)],
        ),
        "one key for two purposes": (
            "repeats a key",
            lambda ads, session, own: [*ads, advertise(new_identity(), ads[own].box_key, key_bytes(), session)],
        ),
        "a device twice": ("names a device twice", lambda ads, session, own: [*ads, ads[own]]),
        "without this device": ("isn't in the roster", lambda ads, session, own: others(ads, own)),
        "too few": ("2 devices", lambda ads, session, own: ads[:2]),
        "too many": ("10 devices", lambda ads, session, own: ads * 2),
    }


def others(ads, own):
    return [ad for place, ad in enumerate(ads) if place != own]


@pytest.mark.parametrize("forgery", forged_rosters())
def test_a_forged_roster_is_refused(forgery):
    played, ads = advertised()
    reason, forge = forged_rosters()[forgery]
    with refused(reason):
        played.parties[0].share(in_order(forge(ads, played.session.digest(), played.places[0])))


DIFFERENT_WORDS = {
    "another round": {"round_number": 2},
    "another model": {"model_digest": b"n" * 32},
    "another task": {"task_digest": b"u" * 32},
    **{
        f"another {name}": {"terms": replace(terms_for(6, ACTIVE), **{name: value})}
        for name, value in (
            ("threat_model", CURIOUS),
            ("expected_dropout", 0.1),
            ("quorum", 4),
            ("most_devices", 7),
            ("noise_deviation", 2.0),
        )
    },
}


@pytest.mark.parametrize("told", DIFFERENT_WORDS)
def test_devices_that_were_told_different_things_take_part_in_no_common_round(told):
    played, ads = advertised()
    elsewhere = replace(played.session, **DIFFERENT_WORDS[told])
    stranger = advertise(new_identity(), key_bytes(), key_bytes(), elsewhere.digest())
    with refused("forged"):
        played.parties[0].share(in_order([*ads, stranger]))


def test_a_roster_out_of_order_is_refused_and_the_honest_one_is_taken():
    played, ads = advertised()
    with refused("out of order"):
        played.parties[0].share(ads[::-1])
    assert played.parties[1].share(ads).boxes


def test_the_server_refuses_forged_and_repeated_keys_and_goes_on():
    played = PlayedRound(terms_for(6, ACTIVE), 4)
    digest = played.session.digest()
    stranger = new_identity(Ed25519PrivateKey.generate())
    with refused("forged"):
        played.server.take_advertisement(advertise(stranger, key_bytes(), key_bytes(), digest))
    twice = advertise(new_identity(), key_bytes(), key_bytes(), digest)
    played.server.take_advertisement(twice)
    with refused("repeats"):
        played.server.take_advertisement(twice)
    with refused("repeats"):
        played.server.take_advertisement(advertise(new_identity(), twice.box_key, key_bytes(), digest))
    assert len(played.advertise()) == 5


def masks_of_two_rounds(*, reuse: bool) -> list[np.ndarray]:
    """Return what a device puts on a vector of zeros in two rounds, with the same keys and seeds or with fresh ones."""
    masks, before = [], None
    for _ in range(2):
        played = PlayedRound(terms_for(4, CURIOUS), 4)
        if reuse and before:
            for party, old in zip(played.parties, before, strict=True):
                party._identity, party._mask_key, party._seed = old._identity, old._mask_key, old._seed
        before = played.parties
        played.advertise()
        played.share()
        inbox = played.inboxes[played.places[0]]
        masks.append(played.parties[0].mask(inbox, MODEL, lambda: np.zeros(LENGTH, np.uint32)))
    return masks


def test_no_mask_is_used_twice():
    assert not np.array_equal(*masks_of_two_rounds(reuse=False))


def test_a_device_that_reuses_its_keys_and_seed_is_caught_by_that_test():
    assert np.array_equal(*masks_of_two_rounds(reuse=True))


def test_each_secret_of_a_round_is_drawn_anew_and_boxes_belong_to_one_roster():
    """One by one: a seed that repeats beneath fresh pairwise masks shows in no vector."""
    played = PlayedRound(terms_for(4, CURIOUS), 4)
    identity, authority = played.parties[0]._identity, played.parties[0]._authority
    first, second = (DeviceRound(identity, authority, played.session, NOW) for _ in range(2))
    assert first._seed != second._seed
    ads = [party.advertise() for party in (first, second)]
    assert len({key for ad in ads for key in (ad.mask_key, ad.box_key)}) == 4
    keys = {agree_box_key(first._box_key, ads[1].box_key, roster, b"s" * 32, b"r" * 32) for roster in (b"1", b"2")}
    assert len(keys) == 2


def test_a_certificate_counts_until_its_time_is_over():
    identity = new_identity()
    good_until = NOW + LIFETIME_SECONDS
    assert is_certified(AUTHORITY, identity.public_key, identity.certificate, good_until - 1)
    assert not is_certified(AUTHORITY, identity.public_key, identity.certificate, good_until)
    longer = int(good_until + 1).to_bytes(8) + identity.certificate[8:]
    assert not is_certified(AUTHORITY, identity.public_key, longer, NOW)


def test_a_device_whose_certificate_ends_within_the_hour_is_left_out_by_the_server():
    played = PlayedRound(terms_for(4, CURIOUS), 4)
    for left, taken in ((MARGIN_SECONDS - 1, False), (MARGIN_SECONDS + 1, True)):
        identity = new_identity(made=NOW - LIFETIME_SECONDS + left)
        ad = DeviceRound(identity, AUTHORITY, played.session, NOW).advertise()
        with nullcontext() if taken else refused("forged"):
            played.server.take_advertisement(ad)


def test_a_device_refuses_a_roster_with_a_certificate_that_is_over():
    played, ads = advertised()
    over = DeviceRound(new_identity(made=NOW - LIFETIME_SECONDS - 1), AUTHORITY, played.session, NOW).advertise()
    party = DeviceRound(new_identity(), AUTHORITY, played.session, NOW)
    own = party.advertise()
    with refused("forged"):
        party.share(in_order([*ads[2:], over, own]))


def test_a_device_trusts_only_its_own_authority():
    played, ads = advertised()
    other = Ed25519PrivateKey.generate().public_key().public_bytes_raw()
    party = DeviceRound(new_identity(), other, played.session, NOW)
    with refused("forged"):
        party.advertise()
        party.share(in_order([*ads, party._advertisement]))
    assert other != AUTHORITY
