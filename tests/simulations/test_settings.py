"""What a run is asked for: refused in one line where it makes no run, and known again by its fingerprint."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import pytest

from models.domain.privacy import ClippingRule, Mechanism, PrivacyMode
from models.domain.round import RobustRule
from models.domain.secure_aggregation import ThreatModel
from models.errors import UsageError
from simulations.settings import ABOVE_ALL, NO_PART_IN_RESULTS, Engine, RunSettings

OTHERS = {
    "scenario": "new-loan",
    "devices": 201,
    "cohort": 51,
    "rounds": 31,
    "seed": 8,
    "privacy": PrivacyMode.BOTH,
    "exact_population": True,
    "dropout": 0.2,
    "calls": Path("calls.jsonl"),
    "base": Path("base"),
    "mechanism": Mechanism.FTRL,
    "clipping": ClippingRule.ADAPTIVE,
    "robust": RobustRule.MEDIAN,
    "threat_model": ThreatModel.HONEST_BUT_CURIOUS,
}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"devices": 0}, "--devices is 0"),
        ({"cohort": 0}, "--cohort is 0"),
        ({"rounds": 0}, "--rounds is 0"),
        ({"seed": -1}, "--seed is -1"),
        ({"seed": ABOVE_ALL}, "--seed is 4294967296"),
        ({"devices": 10, "cohort": 11}, "--cohort 11 is larger than the population of --devices 10"),
        ({"dropout": 1.0}, "--dropout is 1.0"),
        ({"dropout": -0.1}, "--dropout is -0.1"),
        ({"dropout": float("nan")}, "--dropout is nan"),
        ({"scenario": "new-weather"}, "unknown scenario 'new-weather'; there are new-"),
        ({"privacy": PrivacyMode.SECURE, "cohort": 5}, "may leave fewer than 3 devices"),
        ({"privacy": PrivacyMode.SECURE, "engine": Engine.RAY}, "needs --engine local"),
        (
            {"privacy": PrivacyMode.SECURE, "dropout": 0.2},
            "ask for --cohort 150 or --dropout 0.11 or --threat-model honest",
        ),
        ({"privacy": PrivacyMode.SECURE, "mechanism": Mechanism.FTRL}, "needs the server to add the noise"),
        ({"privacy": PrivacyMode.SECURE, "clipping": ClippingRule.ADAPTIVE}, "secure hides them"),
        ({"clipping": ClippingRule.ADAPTIVE, "mechanism": Mechanism.FTRL}, "its noise spans rounds"),
        ({"privacy": PrivacyMode.CALL, "mechanism": Mechanism.FTRL}, "about noise for persons"),
        ({"privacy": PrivacyMode.CALL, "exact_population": True}, "about noise for persons"),
        ({"privacy": PrivacyMode.BOTH, "robust": RobustRule.MEDIAN}, "--robust median excludes noise for persons"),
        ({"mechanism": Mechanism.DP_SGD}, "--mechanism is gaussian or ftrl"),
    ],
)
def test_settings_that_make_no_run_are_refused_with_what_was_given(change, said):
    with pytest.raises(UsageError) as refused:
        RunSettings(**change)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_the_smallest_run_and_the_largest_seed_are_accepted():
    RunSettings(devices=1, cohort=1, rounds=1, seed=ABOVE_ALL - 1, dropout=0.0)


def test_secure_rounds_are_possible_by_default_and_with_many_losses_against_a_curious_server():
    RunSettings(privacy=PrivacyMode.SECURE)
    RunSettings(privacy=PrivacyMode.SECURE, dropout=0.2, threat_model=ThreatModel.HONEST_BUT_CURIOUS)


def test_every_setting_but_those_of_speed_has_a_part_in_the_fingerprint():
    assert {*OTHERS, *NO_PART_IN_RESULTS} == {field.name for field in fields(RunSettings)}
    plain = RunSettings()
    bare = replace(plain, privacy=PrivacyMode.NONE)  # a robust rule excludes noise for persons
    digests = {replace(bare if name == "robust" else plain, **{name: value}).digest() for name, value in OTHERS.items()}
    assert len(digests | {plain.digest(), bare.digest()}) == len(OTHERS) + 2


def test_the_fingerprint_follows_the_calls_and_not_the_name_of_their_file(tmp_path):
    first, copy, other = (tmp_path / name for name in ("first", "copy", "other"))
    first.write_text("a")
    copy.write_text("a")
    other.write_text("b")
    digests = [RunSettings(calls=path).digest() for path in (first, copy, other)]
    assert digests[0] == digests[1] != digests[2]


def test_a_file_that_cant_be_read_still_has_a_fingerprint(tmp_path):
    assert RunSettings(calls=tmp_path).digest() != RunSettings(calls=tmp_path / "missing").digest()
