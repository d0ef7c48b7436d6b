"""The parts by themselves: sharing against an oracle, keys, masks, the graph."""

from __future__ import annotations

import os
from collections import Counter

import numpy as np
import pytest
from Crypto.Protocol.SecretSharing import Shamir
from Crypto.Util.number import inverse, isPrime
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from models.errors import ProtocolRefusedError
from models.privacy.secure_aggregation.keys import agree_box_key, agree_mask_key
from models.privacy.secure_aggregation.masks import MaskStream
from models.privacy.secure_aggregation.neighbours import draw_neighbours
from models.privacy.secure_aggregation.secret_sharing import (
    PRIME,
    SHARE_BYTES,
    combine_shares,
    lagrange_weights,
    split_secret,
)
from tests.noise_scale import ALPHA


def test_the_field_holds_every_secret_and_is_a_field():
    assert isPrime(PRIME)
    assert 2**256 < PRIME < 2 ** (8 * SHARE_BYTES)
    assert not any(isPrime(2**256 + step) for step in range(1, 297, 2))


@given(secret=st.binary(min_size=32, max_size=32), holders=st.integers(1, 12), data=st.data())
@settings(max_examples=50)
def test_any_threshold_of_shares_gives_the_secret_back(secret, holders, data):
    threshold = data.draw(st.integers(1, holders))
    chosen = data.draw(st.sets(st.integers(1, holders), min_size=threshold))
    shares = split_secret(secret, holders, threshold)
    assert combine_shares({point: shares[point - 1] for point in chosen}) == secret


@pytest.mark.parametrize(("threshold", "holders"), [(2, 3), (7, 10), (34, 50)])
def test_thresholds_mean_what_they_mean_in_pycryptodome(threshold, holders):
    secret = os.urandom(16)
    theirs = Shamir.split(threshold, holders, secret)
    ours = split_secret(bytes(16) + secret, holders, threshold)
    for count in (threshold - 1, threshold):
        points = range(holders - count + 1, holders + 1)
        their_secret = Shamir.combine([theirs[point - 1] for point in points])
        assert (their_secret == secret) is (count == threshold)
        try:
            our_secret = combine_shares({point: ours[point - 1] for point in points})
        except ProtocolRefusedError:
            our_secret = None
        assert (our_secret == bytes(16) + secret) is (count == threshold)


def test_lagrange_weights_are_those_of_the_textbook_and_computed_once_a_set():
    points = (1, 4, 6, 9)
    for own, weight in zip(points, lagrange_weights(points), strict=True):
        expected = 1
        for other in points:
            if other != own:
                expected = expected * -other * inverse(own - other, PRIME) % PRIME
        assert weight == expected
    before = lagrange_weights.cache_info().hits
    lagrange_weights(points)
    assert lagrange_weights.cache_info().hits == before + 1


def test_one_share_below_the_threshold_says_nothing_of_the_secret():
    """Shares of a fixed secret are uniform in the field: the top byte of 2,000 of them is as even as chance."""
    top = Counter(split_secret(bytes(32), 3, 3)[0][1] >> 4 for _ in range(2000))
    assert chisquare([top[value] for value in range(16)]).pvalue > ALPHA


@pytest.mark.parametrize(("secret", "holders", "threshold"), [(bytes(31), 3, 2), (bytes(32), 3, 4), (bytes(32), 3, 0)])
def test_sharing_that_cant_be_undone_is_refused(secret, holders, threshold):
    with pytest.raises(ProtocolRefusedError):
        split_secret(secret, holders, threshold)


def test_two_devices_agree_on_keys_that_differ_by_purpose_direction_and_session():
    one, two = X25519PrivateKey.generate(), X25519PrivateKey.generate()
    first, second = (key.public_key().public_bytes_raw() for key in (one, two))
    assert agree_mask_key(one, second, b"s") == agree_mask_key(two, first, b"s")
    there, back = (agree_box_key(one, second, b"r", *pair) for pair in ((first, second), (second, first)))
    assert there == agree_box_key(two, first, b"r", first, second)
    keys = {there, back, agree_mask_key(one, second, b"s"), agree_mask_key(one, second, b"t")}
    assert len(keys) == 4


def test_a_public_key_that_gives_everybody_the_same_secret_is_refused():
    with pytest.raises(ProtocolRefusedError):
        agree_mask_key(X25519PrivateKey.generate(), bytes(32), b"s")


def test_masks_are_even_repeat_for_their_key_and_cancel():
    stream, vector = MaskStream(1 << 16), np.zeros(1 << 16, np.uint32)
    stream.add(vector, b"k" * 32)
    again = np.zeros_like(vector)
    stream.add(again, b"k" * 32)
    assert np.array_equal(vector, again)
    assert chisquare(np.bincount(vector >> 24, minlength=256)).pvalue > 1e-6
    stream.subtract(vector, b"k" * 32)
    assert not vector.any()
    stream.add(again, b"l" * 32)
    assert again.any()


@given(devices=st.integers(3, 60), data=st.data())
@settings(max_examples=60)
def test_the_graph_is_regular_mutual_and_follows_from_the_roster(devices, data):
    degrees = [devices - 1, *range(2, devices - 1, 2)]
    degree, digest = data.draw(st.sampled_from(degrees)), data.draw(st.binary(min_size=32, max_size=32))
    graph = draw_neighbours(digest, devices, degree)
    assert graph == draw_neighbours(digest, devices, degree)
    for own, neighbours in enumerate(graph):
        assert len(set(neighbours)) == degree
        assert own not in neighbours
        assert all(own in graph[other] for other in neighbours)


def test_another_roster_has_another_graph_and_every_pair_is_as_likely():
    counts = Counter((0, other) for roster in range(3000) for other in draw_neighbours(roster.to_bytes(32), 11, 4)[0])
    assert chisquare(list(counts.values())).pvalue > 1e-6
    assert len(counts) == 10
