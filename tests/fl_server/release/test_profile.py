from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from fl_server.acceptance import AcceptanceScore
from fl_server.release.profile import Judged, JudgedModel, describe_change, make_profile
from fl_server.release.publishing import publish_release, roll_back, set_rollout
from fl_server.release.repository import read_online
from models.domain.call import Label
from models.domain.profile import PROFILE_FILE, ReleaseProfile, read_profile
from models.domain.release import Thresholds
from models.errors import UsageError
from tests.release_server import Publisher, write_export

THRESHOLDS = Thresholds(suspicious=0.6, dangerous=0.9)
BEFORE = JudgedModel({"w": np.array([1.0, 0.0], np.float32)}, np.array([0.2, 0.7, 0.95, 0.95]), THRESHOLDS)
AFTER = JudgedModel({"w": np.array([0.0, 1.0], np.float32)}, np.array([0.2, 0.2, 0.7, 0.95]), THRESHOLDS)
ACCEPTANCE = AcceptanceScore(0.9, 20.0, 0.3, 0.02)
LABELS = [Label.NORMAL, Label.NORMAL, Label.VISHING, Label.VISHING]


@pytest.fixture
def profile() -> ReleaseProfile:
    judged = Judged(AFTER, LABELS, ACCEPTANCE, [0.0, 0.25, 0.25, 0.9])
    return make_profile(1, 1_800_000_000, 31, judged, describe_change(0, BEFORE, AFTER))


def signed(publisher: Publisher, version: int) -> ReleaseProfile:
    target = read_online(publisher.registry, publisher.online).releases.signed.targets[
        f"releases/{version}/{PROFILE_FILE}"
    ]
    content = (publisher.registry.targets / target.get_prefixed_paths()[0]).read_bytes()
    target.verify_length_and_hashes(content)
    return read_profile(content)


def publish(publisher: Publisher, profile: ReleaseProfile | None, version: int = 1) -> None:
    write_export(publisher.folder / "exported", b"weights")
    publish_release(publisher.registry, publisher.online, publisher.folder / "exported", version, profile=profile)


def test_a_profile_counts_what_devices_would_say_of_the_acceptance_calls(profile: ReleaseProfile) -> None:
    assert profile.histograms["verdict"] == {
        "normal": {"normal": 2, "suspicious": 0, "dangerous": 0},
        "vishing": {"normal": 0, "suspicious": 1, "dangerous": 1},
    }
    score = profile.histograms["score"]
    assert (score["normal"]["0.10-0.30"], score["vishing"]["0.70-0.90"], score["vishing"]["0.90-1.00"]) == (2, 1, 1)
    assert "none" not in score["normal"]
    unknown = profile.histograms["unknown_words"]
    assert (unknown["normal"]["under_20"], unknown["vishing"]["20_to_30"], unknown["vishing"]["over_50"]) == (1, 1, 1)
    assert "unmeasured" not in unknown["normal"]


def test_a_release_that_knows_no_words_counts_none() -> None:
    assert "unknown_words" not in make_profile(1, 0, 0, Judged(AFTER, LABELS, ACCEPTANCE), None).histograms


def test_a_profile_says_how_far_the_model_went(profile: ReleaseProfile) -> None:
    assert profile.change is not None
    assert (profile.change.since, profile.change.relative) == (0, pytest.approx(2**0.5))
    assert (profile.change.cosine, profile.change.verdicts_changed) == (0, 0.5)


def test_a_profile_is_signed_beside_the_files_and_small(publisher: Publisher, profile: ReleaseProfile) -> None:
    publish(publisher, profile)
    assert signed(publisher, 1) == profile
    (path,) = (publisher.registry.targets / "releases/1").glob(f"*.{PROFILE_FILE}")
    assert path.stat().st_size < 2000


def test_a_rollback_carries_the_profile_to_the_new_version(publisher: Publisher, profile: ReleaseProfile) -> None:
    publish(publisher, profile)
    publish(publisher, replace(profile, version=2), 2)
    roll_back(publisher.registry, publisher.online, 1, now=datetime.fromtimestamp(1_900_000_000, UTC))
    assert signed(publisher, 3) == profile.again(3, 1_900_000_000)


def test_a_release_without_a_profile_is_rolled_back_to_all_the_same(publisher: Publisher) -> None:
    publish(publisher, None)
    assert roll_back(publisher.registry, publisher.online, 1).version == 2


def test_a_rollout_names_the_profile_too(publisher: Publisher, profile: ReleaseProfile) -> None:
    publish(publisher, profile)
    set_rollout(publisher.registry, publisher.online, 1, 20)
    targets = read_online(publisher.registry, publisher.online).releases.signed.targets
    assert {targets[path].custom["rollout_percent"] for path in targets if path.startswith("releases/1/")} == {20}


def test_the_profile_of_another_version_is_refused(publisher: Publisher, profile: ReleaseProfile) -> None:
    with pytest.raises(UsageError, match="release 2"):
        publish(publisher, profile, 2)


@pytest.fixture
def publisher(tmp_path) -> Publisher:
    return Publisher(tmp_path / "server")
