"""The sum is exact whoever is lost at whichever stage, or there is none: every pattern of a small roster."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.domain.secure_aggregation import ThreatModel
from models.errors import RoundAbortedError
from models.privacy.secure_aggregation.device import Stage
from tests.secure_rounds import NEVER, PlayedRound, sum_of, terms_for

DEVICES, QUORUM = 5, 3
STAGES = [Stage.ADVERTISE, Stage.SHARE, Stage.MASK, Stage.SIGN, Stage.UNMASK, NEVER]


def must_end_with_a_sum(lost: tuple[Stage, ...], threat_model: ThreatModel) -> bool:
    """Say by the protocol's own numbers whether enough devices were left at each stage; everybody is a neighbour."""
    listed, shared, masked, signed, revealed = (sum(stage > at for stage in lost) for at in STAGES[:-1])
    active = threat_model is ThreatModel.ACTIVE
    threshold = 2 * (listed - 1) // 3 + 1 if active else (listed - 1) // 2 + 1
    # A device's own share is with nobody: a survivor's seed comes from the others that are left.
    holders = revealed - 1
    return (
        min(listed, shared, masked) >= QUORUM
        and shared - 1 >= threshold
        and (not active or signed >= 2 * listed // 3 + 1)
        and holders >= threshold
    )


@pytest.mark.parametrize("threat_model", list(ThreatModel))
@pytest.mark.parametrize("last", STAGES, ids=lambda stage: f"last lost at {stage.name}")
def test_every_pattern_of_losses_ends_with_the_exact_sum_or_with_none(last, threat_model):
    ended = {True: 0, False: 0}
    for others in itertools.combinations_with_replacement(STAGES[: STAGES.index(last) + 1], DEVICES - 1):
        lost = (*others, last)
        played = PlayedRound(terms_for(DEVICES, threat_model, quorum=QUORUM), DEVICES, dict(enumerate(lost)))
        expected = must_end_with_a_sum(lost, threat_model)
        ended[expected] += 1
        if expected:
            assert np.array_equal(played.play(), sum_of(played.here(Stage.MASK)))
        else:
            with pytest.raises(RoundAbortedError):
                played.play()
    assert (ended[True] > 0) == (last is NEVER)
    assert ended[False] > 0


@given(
    lost=st.lists(st.sampled_from([*STAGES, NEVER, NEVER, NEVER]), min_size=3, max_size=12),
    threat_model=st.sampled_from(ThreatModel),
)
@settings(max_examples=25)
def test_a_sum_is_never_wrong(lost, threat_model):
    played = PlayedRound(terms_for(len(lost), threat_model), len(lost), dict(enumerate(lost)))
    try:
        total = played.play()
    except RoundAbortedError:
        return
    assert np.array_equal(total, sum_of(played.here(Stage.MASK)))


@pytest.mark.parametrize("threat_model", list(ThreatModel))
def test_on_a_graph_of_neighbours_the_sum_is_exact_too(threat_model):
    devices, losses = 40, {3: Stage.ADVERTISE, 9: Stage.SHARE, 20: Stage.MASK, 31: Stage.SIGN, 42: Stage.UNMASK}
    played = PlayedRound(terms_for(devices, threat_model, quorum=25, dropout=0.02), devices, losses)
    assert np.array_equal(played.play(), sum_of(played.here(Stage.MASK)))
    assert played.server.neighbourhood.degree < devices - 1


@pytest.mark.parametrize("threat_model", list(ThreatModel))
@pytest.mark.parametrize("stage", STAGES[:-1], ids=lambda stage: stage.name)
def test_a_fifth_of_the_devices_may_all_be_lost_at_one_stage(stage, threat_model):
    devices = 25
    lost = dict.fromkeys(range(0, devices, 5), stage)
    played = PlayedRound(terms_for(devices, threat_model, quorum=20, dropout=0.2), devices, lost)
    sent = played.here(Stage.MASK)
    assert np.array_equal(played.play(), sum_of(sent))
    assert len(sent) == (20 if stage <= Stage.MASK else 25)


def test_words_wrap_around_so_that_no_sum_is_too_large():
    played = PlayedRound(terms_for(6, ThreatModel.ACTIVE), 6)
    total = played.play()
    assert sum(int(part) for part in sum_of([0])) > 0
    assert total.dtype == np.uint32
    assert np.array_equal(total, sum_of(list(range(6))))
