"""Whatever the other side says, device and server answer, refuse by type, or end the round: nothing else is raised."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.domain.secure_aggregation import ThreatModel
from models.errors import ProtocolRefusedError, RoundAbortedError
from models.privacy.secure_aggregation import wire
from models.privacy.secure_aggregation.boxes import BOX_BYTES
from models.privacy.secure_aggregation.device import Stage
from models.privacy.secure_aggregation.roster import Advertisement
from models.privacy.secure_aggregation.statements import SharedSecrets, UnmaskRequest
from tests.secure_rounds import LENGTH, MODEL, play_until, vector_of

DEVICES = 5
READERS = (
    wire.read_session,
    wire.read_advertisement,
    wire.read_roster,
    wire.read_shared,
    wire.read_boxes,
    wire.read_survivors,
    wire.read_signature,
    wire.read_unmasking,
)
NAMES = ["model", "roster", "commitment", "places", "boxes", "survivors", "dropped", "signers", "signatures"]

octets = st.binary(max_size=300) | st.sampled_from([bytes(32), bytes(64), bytes(232), bytes(BOX_BYTES)])
places = st.integers(-1, DEVICES) | st.integers()
values = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | octets
values |= st.lists(values, max_size=4) | st.lists(octets, max_size=4) | st.lists(places, max_size=4)
shares = st.dictionaries(places, octets, max_size=5)


@pytest.mark.parametrize("read", READERS)
@given(said=st.dictionaries(st.sampled_from(NAMES) | st.text(), values, max_size=6))
def test_any_values_are_read_or_refused(read, said):
    try:
        read(said)
    except ProtocolRefusedError:
        return


def spoiled(advertisements: tuple[Advertisement, ...], data: st.DataObject) -> list[Advertisement]:
    listed = data.draw(st.permutations(advertisements))[: data.draw(st.integers(0, DEVICES))]
    field = data.draw(st.sampled_from(["identity", "certificate", "mask_key", "box_key", "signature"]))
    bad = replace(advertisements[0], **{field: data.draw(octets)})
    return [*listed, bad] if data.draw(st.booleans()) else listed


@pytest.mark.parametrize("threat_model", list(ThreatModel))
@pytest.mark.parametrize("stage", [Stage.SHARE, Stage.MASK, Stage.SIGN, Stage.UNMASK])
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_a_device_answers_a_hostile_server_or_refuses_and_a_refusal_is_the_rounds_end(threat_model, stage, data):
    played = play_until(stage, threat_model, devices=DEVICES)
    party, trained = played.parties[0], []

    def train() -> np.ndarray:
        trained.append(1)
        return vector_of(0)

    def listed(sound) -> list[int]:
        return list(sound) if data.draw(st.booleans()) else data.draw(st.lists(places, max_size=6))

    try:
        if stage is Stage.SHARE:
            party.share(spoiled(played.roster.advertisements, data))
        elif stage is Stage.MASK:
            inbox = {**played.inboxes[played.places[0]], **data.draw(shares)}
            party.mask(inbox, data.draw(st.sampled_from([MODEL, b"", bytes(32)])), train)
        elif stage is Stage.SIGN:
            party.sign(listed(played.survivors))
        else:
            signatures = played.request.signatures if data.draw(st.booleans()) else data.draw(shares)
            party.unmask(UnmaskRequest(listed(played.survivors), listed(()), signatures))
    except ProtocolRefusedError:
        assert not trained
        for again in (lambda: party.sign([0, 1, 2]), lambda: party.unmask(UnmaskRequest([0, 1, 2], [], {}))):
            with pytest.raises(ProtocolRefusedError, match="isn't next"):
                again()


@pytest.mark.parametrize("threat_model", list(ThreatModel))
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_a_server_takes_what_devices_send_or_refuses_it_and_ends_with_the_sum_or_without_one(threat_model, data):
    played = play_until(Stage.ADVERTISE, threat_model, devices=DEVICES)
    server = played.server

    def hostile(take, *said) -> None:
        try:
            take(*said)
        except ProtocolRefusedError:
            return

    try:
        played.advertise()
        for bad in spoiled(played.roster.advertisements, data):
            hostile(server.take_advertisement, bad)
        hostile(server.take_shared, data.draw(places), SharedSecrets(data.draw(octets), data.draw(shares)))
        played.share()
        vectors = [np.zeros(3, np.uint32), np.zeros(LENGTH, np.float32), np.zeros((LENGTH, 1), np.uint32)]
        hostile(server.take_masked, data.draw(places), data.draw(st.sampled_from(vectors)))
        played.mask()
        hostile(server.take_signature, data.draw(places), data.draw(octets))
        played.sign()
        hostile(server.take_revealed, data.draw(places), data.draw(shares))
        total = played.unmask()
    except RoundAbortedError:
        return
    assert np.array_equal(total, sum(vector_of(device) for device in range(DEVICES)))


@pytest.mark.parametrize("length", [0, BOX_BYTES - 1, BOX_BYTES + 1, 10_000])
def test_a_box_of_another_length_costs_its_sender_the_round_and_nobody_else(length):
    played = play_until(Stage.SHARE, ThreatModel.ACTIVE, devices=DEVICES)
    honest = played.parties[0].share(played.roster.advertisements)
    long = replace(honest, boxes={place: bytes(length) for place in honest.boxes})
    with pytest.raises(ProtocolRefusedError, match="malformed"):
        played.server.take_shared(played.places[0], long)
