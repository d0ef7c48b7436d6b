from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tuf.api.metadata import Metadata, Root, Targets, Timestamp
from tuf.ngclient import Updater

from fl_client.release_download import BoundedFetcher
from fl_server.registry import create_registry, sole_writer
from fl_server.release.metadata import LIFETIMES
from fl_server.release.publishing import (
    publish_release,
    read_releases,
    roll_back,
    set_rollout,
)
from fl_server.release.repository import create_repository, read_online, renew
from fl_server.release.signing import OFFLINE_ROLES, ONLINE_ROLES, Role, create_keys
from fl_server.release.targets import POINTER, RELEASED_FILES
from models.errors import ModelFileError, RefusedError, RegistryError, SignatureRefusedError, UsageError
from tests.fl_server.release.full_disk import disk_full_after
from tests.release_server import Publisher, serving, write_export


@pytest.fixture
def publisher(tmp_path: Path) -> Publisher:
    return Publisher(tmp_path / "server")


def offered(publisher: Publisher) -> list[int]:
    targets = read_online(publisher.registry, publisher.online).releases.signed.targets
    versions: list[int] = targets[POINTER].custom["offered"]
    return versions


def test_a_release_says_its_files_sizes_and_hashes(publisher: Publisher) -> None:
    release = publisher.publish(1)
    assert tuple(file.name for file in release.files) == RELEASED_FILES
    content = b"detector.json: weights 1"
    assert release.files[2].size == len(content)
    assert release.files[2].sha256 == hashlib.sha256(content).hexdigest()
    assert read_releases(publisher.registry, publisher.online) == [release]


def test_the_fp32_graph_stays_at_home(publisher: Publisher, tmp_path: Path) -> None:
    write_export(tmp_path / "exported", b"weights")
    (tmp_path / "exported" / "detector.onnx").write_bytes(b"fp32")
    publish_release(publisher.registry, publisher.online, tmp_path / "exported", 1)
    assert not list(publisher.registry.targets.rglob("*.detector.onnx"))


def test_versions_only_go_up(publisher: Publisher) -> None:
    publisher.publish(3)
    for version in (3, 2, 0, -1):
        with pytest.raises(UsageError, match="above 3"):
            publisher.publish(version)
    assert publisher.publish(4).version == 4


@pytest.mark.parametrize("percent", [-1, 101, 1000])
def test_a_rollout_is_a_percentage(publisher: Publisher, percent: int) -> None:
    publisher.publish(1)
    with pytest.raises(UsageError, match="percent"):
        publisher.publish(2, percent)
    with pytest.raises(UsageError, match="percent"):
        set_rollout(publisher.registry, publisher.online, 1, percent)


def test_versions_are_offered_down_to_the_first_that_every_device_gets(publisher: Publisher) -> None:
    publisher.publish(1)
    publisher.publish(2)
    publisher.publish(3, 50)
    publisher.publish(4, 10)
    assert offered(publisher) == [4, 3, 2]
    set_rollout(publisher.registry, publisher.online, 3, 100)
    assert offered(publisher) == [4, 3]
    set_rollout(publisher.registry, publisher.online, 4, 100)
    assert offered(publisher) == [4]


def test_a_rollback_is_the_old_files_under_the_next_version(publisher: Publisher) -> None:
    first = publisher.publish(1)
    publisher.publish(2)
    back = roll_back(publisher.registry, publisher.online, 1, 25, notes="version 2 warned too often")
    assert (back.version, back.rollout_percent, back.notes) == (3, 25, "version 2 warned too often")
    assert back.files == first.files


def test_what_isnt_there_cant_be_rolled_back_to_or_out(publisher: Publisher) -> None:
    publisher.publish(1)
    with pytest.raises(UsageError, match="no release 7"):
        roll_back(publisher.registry, publisher.online, 7)
    with pytest.raises(UsageError, match="no release 7"):
        set_rollout(publisher.registry, publisher.online, 7, 50)


@pytest.mark.parametrize("name", RELEASED_FILES)
def test_a_missing_file_is_named_and_nothing_is_published(publisher: Publisher, tmp_path: Path, name: str) -> None:
    write_export(tmp_path / "exported", b"weights")
    (tmp_path / "exported" / name).unlink()
    with pytest.raises(ModelFileError, match=name):
        publish_release(publisher.registry, publisher.online, tmp_path / "exported", 1)
    assert read_releases(publisher.registry, publisher.online) == []


def test_whoever_can_write_the_folder_cant_get_anything_signed(publisher: Publisher, tmp_path: Path) -> None:
    publisher.publish(1)
    forger = Publisher(tmp_path / "forger")
    forger.publish(1, content=b"weights of somebody else")
    for path in forger.registry.metadata.iterdir():
        (publisher.registry.metadata / path.name).write_bytes(path.read_bytes())
    before = {path: path.read_bytes() for path in publisher.registry.metadata.iterdir()}
    with pytest.raises(SignatureRefusedError):
        publisher.publish(2)
    assert {path: path.read_bytes() for path in publisher.registry.metadata.iterdir()} == before


def test_altered_metadata_is_not_signed_again(publisher: Publisher) -> None:
    publisher.publish(1)
    path = publisher.registry.metadata / "2.releases.json"
    path.write_bytes(path.read_bytes().replace(b'"rollout_percent":100', b'"rollout_percent":101'))
    with pytest.raises(SignatureRefusedError):
        publisher.publish(2)


def test_a_timestamp_that_was_turned_back_is_not_gone_on_from(publisher: Publisher) -> None:
    publisher.publish(1)
    path = publisher.registry.metadata / "timestamp.json"
    timestamp = Metadata[Timestamp].from_file(str(path))
    timestamp.signed.snapshot_meta.version = 1
    path.write_bytes(timestamp.to_bytes())
    with pytest.raises(SignatureRefusedError):
        publisher.publish(2)


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b"\xff"])
def test_damaged_metadata_is_said(publisher: Publisher, content: bytes) -> None:
    (publisher.registry.metadata / "timestamp.json").write_bytes(content)
    with pytest.raises(RegistryError, match=r"timestamp\.json"):
        publisher.publish(1)


def test_two_publishers_dont_sign_at_once(publisher: Publisher) -> None:
    with sole_writer(publisher.registry), pytest.raises(RefusedError, match="another process"):
        publisher.publish(1)


@pytest.mark.parametrize("files", range(7))
def test_a_publication_that_breaks_off_anywhere_leaves_the_release_before(
    publisher: Publisher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: int
) -> None:
    publisher.publish(1)
    with disk_full_after(files, monkeypatch), pytest.raises(RegistryError, match="No space"):
        publisher.publish(2)
    assert [release.version for release in read_releases(publisher.registry, publisher.online)] == [1]
    assert download(publisher, tmp_path / "device") == b"detector.json: weights 1"
    assert publisher.publish(2).version == 2
    assert download(publisher, tmp_path / "device") == b"detector.json: weights 2"


def download(publisher: Publisher, folder: Path) -> bytes:
    folder.mkdir(exist_ok=True)
    with serving(publisher.registry) as url:
        base = f"{url}/v1/releases"
        updater = Updater(
            str(folder),
            f"{base}/metadata/",
            target_base_url=f"{base}/targets/",
            fetcher=BoundedFetcher(),
            bootstrap=publisher.root,
        )
        pointer = updater.get_targetinfo(POINTER)
        assert pointer is not None
        target = updater.get_targetinfo(f"releases/{pointer.custom['offered'][0]}/detector.json")
        assert target is not None
        return Path(updater.download_target(target, str(folder / "target"))).read_bytes()


def test_a_repository_is_made_once(publisher: Publisher) -> None:
    with pytest.raises(RegistryError, match="already"):
        create_repository(publisher.registry, publisher.offline, publisher.online)


def test_a_repository_whose_making_was_killed_can_be_made_again(tmp_path: Path) -> None:
    registry = create_registry(tmp_path / "registry")
    (registry.metadata / "1.root.json").write_bytes(b"left by a kill")
    offline, online = create_keys(tmp_path / "off", OFFLINE_ROLES), create_keys(tmp_path / "on", ONLINE_ROLES)
    root = create_repository(registry, offline, online)
    assert (registry.metadata / "1.root.json").read_bytes() == root


@pytest.mark.parametrize("threshold", [0, 3])
def test_a_threshold_is_at_most_the_number_of_keys(tmp_path: Path, threshold: int) -> None:
    registry = create_registry(tmp_path / "registry")
    offline = create_keys(tmp_path / "offline", OFFLINE_ROLES, keys_a_role=2)
    online = create_keys(tmp_path / "online", ONLINE_ROLES, keys_a_role=2)
    with pytest.raises(RegistryError, match="threshold"):
        create_repository(registry, offline, online, threshold=threshold)


def test_with_a_threshold_of_two_one_signature_is_too_few(tmp_path: Path) -> None:
    registry = create_registry(tmp_path / "registry")
    offline = create_keys(tmp_path / "offline", OFFLINE_ROLES, keys_a_role=2)
    online = create_keys(tmp_path / "online", ONLINE_ROLES, keys_a_role=2)
    root = Metadata[Root].from_bytes(create_repository(registry, offline, online, threshold=2)).signed
    timestamp = Metadata.from_file(str(registry.metadata / "timestamp.json"))
    root.verify_delegate(Role.TIMESTAMP, timestamp.signed_bytes, timestamp.signatures)
    timestamp.signatures.popitem()
    result = root.get_verification_result(Role.TIMESTAMP, timestamp.signed_bytes, timestamp.signatures)
    assert not result.verified


def test_root_and_targets_are_offline_and_releases_only_below_their_folder(publisher: Publisher) -> None:
    root = Metadata[Root].from_bytes(publisher.root).signed
    online = {key.keyid for role in ONLINE_ROLES for key in publisher.online.public_keys(role)}
    assert not online & {*root.roles[Role.ROOT].keyids, *root.roles[Role.TARGETS].keyids}
    targets = Metadata[Targets].from_file(str(publisher.registry.metadata / "1.targets.json")).signed
    assert targets.delegations is not None
    allowed = ["releases/current.json", "releases/1/detector.json"]
    forbidden = ["enrolment.json", "other/1/detector.json", "releases", "releases/1/a/b", "releases/../x/y"]
    for path in allowed:
        assert list(targets.delegations.get_roles_for_target(path)) == [("releases", True)]
    for path in forbidden:
        assert list(targets.delegations.get_roles_for_target(path)) == []


def test_nothing_is_renewed_before_half_of_its_life_is_over(publisher: Publisher) -> None:
    assert renew(publisher.registry, publisher.online) == []


def test_what_leads_to_something_renewed_is_renewed_with_it(publisher: Publisher) -> None:
    now = datetime.now(UTC)
    assert renew(publisher.registry, publisher.online, now=now + timedelta(days=2)) == [Role.TIMESTAMP]
    assert renew(publisher.registry, publisher.online, now=now + timedelta(days=8)) == [Role.SNAPSHOT, Role.TIMESTAMP]
    assert renew(publisher.registry, publisher.online, now=now + timedelta(days=50)) == list(ONLINE_ROLES)


def test_a_new_snapshot_gets_a_new_timestamp_also_where_that_is_young(publisher: Publisher) -> None:
    renew(publisher.registry, publisher.online, now=publisher.now + timedelta(days=6.9))
    young = publisher.now + timedelta(days=7.1)
    assert renew(publisher.registry, publisher.online, now=young) == [Role.SNAPSHOT, Role.TIMESTAMP]
    assert read_releases(publisher.registry, publisher.online) == []


@given(st.lists(st.integers(1, 60), min_size=1, max_size=5))
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whoever_renews_often_enough_never_serves_expired_metadata(
    tmp_path_factory: pytest.TempPathFactory, hours: list[int]
) -> None:
    publisher = Publisher(tmp_path_factory.mktemp("server"))
    now = publisher.now
    # Half of the shortest life is 36 hours: within it, nothing can expire unseen.
    for step in hours:
        now += timedelta(hours=min(step, LIFETIMES.timestamp / timedelta(hours=2)))
        online = read_online(publisher.registry, publisher.online)
        assert all(not online.of(role).signed.is_expired(now) for role in ONLINE_ROLES)
        renew(publisher.registry, publisher.online, now=now)


def test_a_renewal_keeps_every_release(publisher: Publisher) -> None:
    release = publisher.publish(1)
    renew(publisher.registry, publisher.online, now=datetime.now(UTC) + timedelta(days=60))
    assert read_releases(publisher.registry, publisher.online) == [release]
