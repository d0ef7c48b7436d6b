"""What everybody may read of the shares on their way: two hashes a box, and nothing of what they hide."""

from __future__ import annotations

import hashlib
from functools import partial

import pytest

from models.domain.secure_aggregation import ThreatModel
from models.privacy.secure_aggregation import boxes
from models.privacy.secure_aggregation.boxes import BOX_BYTES, HeldShares, seal_shares
from models.privacy.secure_aggregation.device import Stage
from models.privacy.secure_aggregation.wire import write_shared
from tests.secure_rounds import MODEL, PlayedRound, play_until, vector_of

RUN = 16
"""Bytes of a secret that stand nowhere by chance."""


def test_a_box_says_the_hashes_of_its_shares_in_clear():
    mask_key, seed = bytes(range(33)), bytes(range(33, 66))
    box = seal_shares(HeldShares(mask_key, seed), b"k" * 32)
    prefix = b"hearsay secure aggregation/2 share "
    assert box[:64] == hashlib.sha256(prefix + mask_key).digest() + hashlib.sha256(prefix + seed).digest()
    assert len(box) == BOX_BYTES


def sent_and_secret(played: PlayedRound) -> tuple[list[bytes], list[bytes]]:
    """Play the sharing stage; return all bytes that devices send in it, and the secrets and shares that they deal."""
    shared = {place: played.parties[device].share(played.roster.advertisements) for device, place in by_place(played)}
    secrets = []
    for device, place in by_place(played):
        party = played.parties[device]
        inbox = {sender: message.boxes[place] for sender, message in shared.items() if place in message.boxes}
        party.mask(inbox, MODEL, partial(vector_of, device))
        held = [shares for shares in party._held.values() if shares is not None]
        assert len(held) == len(inbox)
        secrets += [party._seed, party._mask_key.private_bytes_raw()]
        secrets += [share for shares in held for share in (shares.mask_key, shares.seed)]
    messages = [write_shared(message) for message in shared.values()]
    return [part for values in messages for part in (values["commitment"], *values["boxes"])], secrets


def by_place(played: PlayedRound) -> list[tuple[int, int]]:
    """Return devices with their places, by place."""
    return sorted(played.places.items(), key=lambda pair: pair[1])


def runs_of(content: bytes) -> set[bytes]:
    """Return every run of that many bytes."""
    return {content[start : start + RUN] for start in range(len(content) - RUN + 1)}


def shown(played: PlayedRound) -> set[bytes]:
    """Return the runs of secrets that stand in what devices send."""
    sent, secrets = sent_and_secret(played)
    return set().union(*map(runs_of, sent)) & set().union(*map(runs_of, secrets))


def test_nothing_of_a_share_a_seed_or_a_mask_key_stands_in_what_a_device_sends():
    assert not shown(play_until(Stage.SHARE, ThreatModel.HONEST_BUT_CURIOUS))


def test_a_share_sent_in_clear_would_be_seen(monkeypatch: pytest.MonkeyPatch):
    """The negative control."""
    monkeypatch.setattr(boxes, "_commit", lambda share: (share[1:] + bytes(32))[:32])
    assert shown(play_until(Stage.SHARE, ThreatModel.HONEST_BUT_CURIOUS))
