"""From updates to words and back: the sum is right, carries the promised noise, and can't wrap around."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import models.privacy.secure_vector as module
from models.domain.secure_aggregation import SecureTerms, ThreatModel
from models.errors import ProtocolRefusedError, UpdateRefusedError, UsageError
from models.privacy.randomness import SeededWords, SystemWords
from models.privacy.secure_vector import METRIC_SHARE, VectorCode, round_within
from tests.noise_scale import is_gaussian_noise

PARAMETERS, CLIP, QUORUM, MOST = 5000, 1.5, 8, 20
TARGET = CLIP
"""Deviation of the noise that the sum is promised: multiplier 1."""

TERMS = SecureTerms(ThreatModel.ACTIVE, 0.2, QUORUM, MOST, TARGET / math.sqrt(QUORUM))
CODE = VectorCode(PARAMETERS, CLIP, TERMS, b"s" * 32)
QUIET = replace(CODE, terms=replace(TERMS, noise_deviation=1e-4))
"""Hardly any noise, so that what is below it shows."""


def update(seed: int, norm: float) -> np.ndarray:
    vector = np.random.default_rng(seed).normal(size=PARAMETERS)
    return vector * (norm / np.linalg.norm(vector))


def sum_of(code: VectorCode, updates: list[np.ndarray]) -> np.ndarray:
    return sum((code.encode(vector, SystemWords()) for vector in updates), np.zeros(code.length, np.uint32))


def test_the_sum_of_updates_comes_back_but_for_the_noise():
    updates = [update(seed, 0.5 + seed / 10) for seed in range(4)]
    decoded = QUIET.decode(sum_of(QUIET, updates))
    assert np.abs(decoded.update - sum(updates)).max() < 8 * math.sqrt(4) * 1e-4
    assert decoded.clipped == pytest.approx(0, abs=0.01)


def test_long_updates_are_clipped_and_counted():
    decoded = QUIET.decode(sum_of(QUIET, [update(1, 0.3), update(2, 40.0), update(3, 1.6)]))
    expected = sum(update(seed, norm) for seed, norm in ((1, 0.3), (2, CODE.update_norm), (3, CODE.update_norm)))
    assert np.abs(decoded.update - expected).max() < 2e-3
    assert decoded.clipped == pytest.approx(2, abs=0.01)


def test_update_and_metric_together_keep_the_norm_that_is_paid_for():
    whole = math.hypot(CODE.update_norm, METRIC_SHARE * CLIP)
    assert whole == pytest.approx(CLIP)
    rotated = QUIET.decode(QUIET.encode(update(2, 40.0), SystemWords()))
    assert np.linalg.norm(rotated.update) < CLIP


def noise_in(devices: int, code: VectorCode = CODE) -> np.ndarray:
    """Return the noise in the sum of so many devices that learned nothing."""
    return code.decode(sum_of(code, [np.zeros(PARAMETERS)] * devices)).update


@pytest.mark.parametrize("devices", [QUORUM, MOST], ids=["at the worst agreed dropout", "with everybody there"])
def test_the_devices_noises_add_up_to_the_promised_deviation(devices):
    noise, deviation = noise_in(devices), TARGET * math.sqrt(devices / QUORUM)
    assert deviation >= TARGET
    assert is_gaussian_noise(noise, deviation)
    for wrong in (0.7, 1.3):
        assert not is_gaussian_noise(noise, wrong * deviation)


def test_the_operators_metric_carries_the_same_noise_as_the_update():
    """In its own unit: a device counts for METRIC_SHARE of the norm, so the noise on the count is so much larger."""
    small = replace(CODE, parameters=1)
    told = [small.decode(small.encode(np.zeros(1), SystemWords())).clipped for _ in range(1000)]
    deviation = TERMS.noise_deviation / (METRIC_SHARE * CLIP)
    # Of 1,000 samples a standard deviation is off by 14 % once in some 10^9 times; one wrong by 30 % passes in 10^7.
    assert np.std(told) == pytest.approx(deviation, rel=0.14)


def test_devices_that_divide_the_noise_among_too_many_are_caught_by_that_test():
    """The negative control: noise divided by the roster instead of the quorum is too little once devices are lost."""
    too_little = replace(CODE, terms=replace(TERMS, noise_deviation=TARGET / math.sqrt(MOST)))
    assert not is_gaussian_noise(noise_in(QUORUM, too_little), TARGET)


def test_noise_drawn_for_missing_devices_is_theirs():
    noise = CODE.decode(CODE.draw_noise(QUORUM, SystemWords())).update
    assert is_gaussian_noise(noise, TARGET)
    assert not is_gaussian_noise(CODE.decode(CODE.draw_noise(QUORUM // 2, SystemWords())).update, TARGET)
    assert not CODE.draw_noise(0, SystemWords()).any()


@given(most=st.integers(3, 2000), share=st.floats(0.1, 1.0), multiplier=st.floats(0.05, 8.0), clip=st.floats(1e-3, 1e3))
@settings(max_examples=200)
def test_the_largest_sum_fits_into_the_words(most, share, multiplier, clip):
    quorum = max(3, int(share * most))
    terms = SecureTerms(ThreatModel.ACTIVE, 0.1, quorum, most, multiplier * clip / math.sqrt(quorum))
    try:
        code = VectorCode(PARAMETERS, clip, terms, b"s" * 32)
    except UsageError:
        assert most > 1000  # many devices with so little noise: refused, never wrapped around
        return
    assert most * code.limit < 2**31
    reach = (module.PEAK * clip + module.NOISE_REACH * terms.noise_deviation) / code.spacing
    assert reach + 1 <= code.limit
    assert 2 * reach > code.limit / 2  # and no bit is wasted


def test_a_word_that_wouldnt_fit_is_not_sent(monkeypatch):
    monkeypatch.setattr(module, "sample_discrete_gaussian", lambda bits, count, source: np.full(count, CODE.limit))
    with pytest.raises(ProtocolRefusedError, match="would not fit"):
        CODE.encode(update(1, 1.0), SystemWords())


def test_a_vector_that_the_rotation_leaves_with_a_peak_is_scaled_down():
    peaked = module.rotate_back(np.eye(1, CODE.length)[0], module.draw_signs(CODE.seed, CODE.length))
    decoded = QUIET.decode(QUIET.encode(peaked[:PARAMETERS], SystemWords()))
    assert np.linalg.norm(decoded.update) < 0.25 * np.linalg.norm(peaked[:PARAMETERS])


def test_rounding_is_without_bias_and_keeps_its_bound():
    values = np.full(20_000, 0.3)
    rounded = round_within(values, 100.0, SystemWords())
    assert set(rounded) == {0, 1}
    assert abs(rounded.mean() - 0.3) < 6 * math.sqrt(0.21 / 20_000)
    assert np.linalg.norm(rounded) <= 100.0
    with pytest.raises(ProtocolRefusedError, match="rounded"):
        round_within(values, 42.0, SystemWords())


def test_the_accountant_is_told_a_norm_that_no_rounded_vector_passes():
    noise = CODE.noise()
    grid = CLIP / CODE.spacing
    assert grid < noise.sensitivity < grid * 1.0001
    assert (noise.shares, noise.deviation) == (QUORUM, 2.0**CODE.noise_bits)


def test_values_that_are_not_finite_never_leave():
    with pytest.raises(UpdateRefusedError):
        CODE.encode(np.full(PARAMETERS, np.nan), SystemWords())


def test_too_long_vectors_and_too_many_quiet_devices_are_refused():
    with pytest.raises(UsageError, match="too long"):
        replace(CODE, parameters=2**17)
    with pytest.raises(UsageError, match="32-bit words"):
        replace(CODE, terms=SecureTerms(ThreatModel.ACTIVE, 0.1, 3, 2**20, 1e-3))


def test_equal_seeds_give_equal_words():
    words = [CODE.encode(update(1, 1.0), SeededWords(np.random.default_rng(seed))) for seed in (1, 1, 2)]
    assert np.array_equal(words[0], words[1])
    assert not np.array_equal(words[0], words[2])
