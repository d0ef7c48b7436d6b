from __future__ import annotations

import json
from dataclasses import replace

import pytest

from models.domain.profile import ModelChange, ReleaseProfile, read_profile, write_profile
from models.errors import BadInputError

CHANGE = ModelChange(0, 1.5, 0.1, 0.99, 0.02, 0.4, 0.97, 0.03)
PROFILE = ReleaseProfile(
    version=3,
    released_at=1_800_000_000,
    round_number=31,
    calls=10,
    f1=0.9,
    false_alarms_per_1000=12.5,
    loss=0.2,
    loss_error=0.01,
    histograms={"verdict": {"normal": {"normal": 5, "dangerous": 1}, "vishing": {"normal": 1, "dangerous": 3}}},
    change=CHANGE,
)


@pytest.mark.parametrize("profile", [PROFILE, replace(PROFILE, change=None), PROFILE.again(4, 1_800_000_001)])
def test_a_profile_comes_back_as_it_was_written(profile: ReleaseProfile) -> None:
    read = read_profile(write_profile(profile))
    assert read == profile
    assert list(read.histograms["verdict"]["normal"]) == ["normal", "dangerous"], "values keep their order"


def test_a_rolled_back_profile_names_the_release_whose_files_it_has_and_claims_no_change() -> None:
    again = PROFILE.again(4, 1).again(6, 2)
    assert (again.version, again.released_at, again.same_as, again.change) == (6, 2, 3, None)


@pytest.mark.parametrize(
    "damage",
    [
        {"version": "3"},
        {"version": 3.5},
        {"f1": float("nan")},
        {"loss": None},
        {"change": {"since": 0}},
        {"change": 7},
        {"unknown": 1},
        {"histograms": []},
        {"histograms": {"verdict": {"normal": {"a": 1}}}},
        {"histograms": {"verdict": {"normal": {"a": 1}, "vishing": {"a": -1}}}},
        {"histograms": {"verdict": {"normal": {"a": 1}, "vishing": {"b": 1}}}},
        {"histograms": {"verdict": {"normal": {"a": 1}, "vishing": {"a": True}}}},
    ],
    ids=str,
)
def test_a_damaged_profile_is_refused(damage: dict[str, object]) -> None:
    with pytest.raises(BadInputError):
        read_profile(json.dumps({**json.loads(write_profile(PROFILE)), **damage}).encode())


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"7", b"\xff", b"[" * 100_000])
def test_what_is_no_profile_is_refused(content: bytes) -> None:
    with pytest.raises(BadInputError):
        read_profile(content)
