"""Quorum and largest cohort: missed in fewer than one round in 10,000."""

from __future__ import annotations

import re

import numpy as np
import pytest
from scipy.stats import binom

from models.domain.secure_aggregation import SecureTerms, ThreatModel
from models.errors import UsageError
from models.privacy.secure_aggregation.neighbourhood import MOST_ABORTED
from models.privacy.secure_aggregation.quorum import bound_cohort, expected_aborts, require_rare_aborts


@pytest.mark.parametrize(("devices", "rate", "dropout"), [(200, 0.25, 0.1), (1000, 0.1, 0.2), (50, 1.0, 0.1)])
def test_a_cohort_lies_between_its_bounds_and_no_wider_bounds_are_taken(devices, rate, dropout):
    bounds, left = bound_cohort(devices, rate, dropout), rate * (1 - dropout)
    assert binom.cdf(bounds.quorum - 1, devices, left) <= MOST_ABORTED / 2 < binom.cdf(bounds.quorum, devices, left)
    assert binom.sf(bounds.most, devices, rate) <= MOST_ABORTED / 2
    assert bounds.most == devices or binom.sf(bounds.most - 1, devices, rate) > MOST_ABORTED / 2


def test_drawn_cohorts_stay_within_the_bounds():
    bounds = bound_cohort(200, 0.25, 0.1)
    generator = np.random.default_rng(3)
    drawn = generator.binomial(200, 0.25, 20_000)
    left = generator.binomial(drawn, 0.9)
    assert ((drawn > bounds.most) | (left < bounds.quorum)).mean() < 5 * MOST_ABORTED
    assert ((drawn > bounds.most - 15) | (left < bounds.quorum + 10)).mean() > 50 * MOST_ABORTED


def test_where_nobody_is_lost_and_all_are_drawn_everybody_is_the_quorum():
    bounds = bound_cohort(6, 1.0, 0.0)
    assert (bounds.quorum, bounds.most) == (6, 6)
    assert expected_aborts(6, 1.0, 0.0, ThreatModel.ACTIVE) == 0


def test_a_cohort_that_may_leave_fewer_than_three_is_refused():
    with pytest.raises(UsageError, match="may leave fewer than 3 devices"):
        bound_cohort(60, 0.1, 0.1)


@pytest.mark.parametrize("devices", [1, 2, 3, 5, 60, 200])
@pytest.mark.parametrize("cohort", [1, 3, 50])
@pytest.mark.parametrize("dropout", [0.0, 0.3, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("threat_model", list(ThreatModel))
def test_every_refusal_at_the_extremes_names_a_setting_that_is_accepted(devices, cohort, dropout, threat_model):
    cohort = min(cohort, devices)
    try:
        require_rare_aborts(devices, cohort / devices, dropout, threat_model)
    except UsageError as refused:
        advice = str(refused).rpartition("ask for ")[2]
    else:
        return
    for setting in advice.split(" or "):
        named = dict(re.findall(r"--([a-z-]+) ([\w.]+)", setting))
        population = int(named.get("devices", devices))
        require_rare_aborts(
            population,
            int(named.get("cohort", cohort)) / population,
            float(named.get("dropout", dropout)),
            ThreatModel(named.get("threat-model", threat_model)),
        )
        assert named


def test_a_refusal_says_plainly_where_no_change_of_one_option_is_enough():
    with pytest.raises(UsageError) as refused:
        require_rare_aborts(3, 1 / 3, 0.5, ThreatModel.ACTIVE)
    assert str(refused.value).endswith("no change of one option is enough; ask for --cohort 3 with --dropout 0")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(("devices", "cohort"), [(2**32 - 1, 2**32 - 1), (2**31, 50), (10**6, 3)])
def test_huge_populations_are_answered_at_once(devices, cohort):
    if cohort == 50:
        require_rare_aborts(devices, cohort / devices, 0.1, ThreatModel.ACTIVE)
        return
    with pytest.raises(UsageError, match=r"5,000 at most|ask for"):
        require_rare_aborts(devices, cohort / devices, 0.1, ThreatModel.ACTIVE)


def test_many_losses_cost_more_rounds_against_an_active_server():
    curious, active = (expected_aborts(200, 0.25, 0.2, threat_model) for threat_model in ThreatModel)
    assert curious < MOST_ABORTED < active


@pytest.mark.parametrize(
    ("devices", "cohort", "dropout", "threat_model"),
    [
        (100, 100, 0.2, ThreatModel.ACTIVE),
        (200, 50, 0.2, ThreatModel.ACTIVE),
        (200, 50, 0.3, ThreatModel.ACTIVE),
        (200, 50, 0.3, ThreatModel.HONEST_BUT_CURIOUS),
    ],
)
def test_what_a_refusal_names_is_accepted_and_a_percent_more_is_not(devices, cohort, dropout, threat_model):
    with pytest.raises(UsageError) as refused:
        require_rare_aborts(devices, cohort / devices, dropout, threat_model)
    said = str(refused.value)
    named = {option: float(value) for option, value in re.findall(r"--(cohort|devices|dropout) ([\d.]+)", said)}
    require_rare_aborts(devices, cohort / devices, named["dropout"], threat_model)
    with pytest.raises(UsageError):
        require_rare_aborts(devices, cohort / devices, named["dropout"] + 0.01, threat_model)
    if "cohort" in named:
        population = int(named.get("devices", devices))
        require_rare_aborts(population, named["cohort"] / population, dropout, threat_model)
    curious = ThreatModel.HONEST_BUT_CURIOUS
    others = (
        threat_model is not curious and expected_aborts(devices, cohort / devices, dropout, curious) <= MOST_ABORTED
    )
    assert (f"--threat-model {curious}" in said) == others


@pytest.mark.parametrize("change", [{"expected_dropout": 1.0}, {"quorum": 2}, {"quorum": 11}, {"noise_deviation": 0.0}])
def test_terms_under_which_nobody_would_be_safe_are_refused(change):
    good = {
        "threat_model": ThreatModel.ACTIVE,
        "expected_dropout": 0.1,
        "quorum": 5,
        "most_devices": 10,
        "noise_deviation": 1.0,
    }
    SecureTerms(**good)
    with pytest.raises(UsageError):
        SecureTerms(**(good | change))
