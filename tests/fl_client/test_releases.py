from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from tuf.ngclient._internal import trusted_metadata_set

from fl_client.release_download import BoundedFetcher
from fl_client.release_store import ReleaseStore, ReleaseStoreError
from fl_client.releases import Update, fetch_enrolment_key, load_installed, trust_root, update_release
from fl_server.release.publishing import roll_back, set_rollout
from fl_server.release.repository import exchange_keys, renew
from fl_server.release.targets import RELEASED_FILES
from models.errors import (
    ModelFileError,
    RefusedError,
    SignatureRefusedError,
    UnreachableError,
    UsageError,
)
from tests.release_server import Answer, Publisher, send, serving

ORT = "detector.int8.ort"


def read(folder: Path) -> bytes:
    content = (folder / ORT).read_bytes()
    if b"weights" not in content:
        raise ModelFileError("not a detector")
    return content


class Device:
    """A device's home, and the repository that it was told to trust."""

    def __init__(self, home: Path, publisher: Publisher) -> None:
        self.home, self.publisher = home, publisher
        trust_root(home, publisher.root)

    def update(self, answers: dict[str, Answer] | None = None, fetcher: BoundedFetcher | None = None) -> Update:
        with serving(self.publisher.registry, answers) as base_url:
            return update_release(self.home, base_url, read, fetcher=fetcher)

    def assert_still_uses(self, version: int) -> None:
        release, content = load_installed(self.home, read)
        assert release.version == version
        assert content == f"{ORT}: weights {version}".encode()


@pytest.fixture
def publisher(tmp_path: Path) -> Publisher:
    publisher = Publisher(tmp_path / "server")
    publisher.publish(1)
    return publisher


@pytest.fixture
def device(tmp_path: Path, publisher: Publisher) -> Device:
    device = Device(tmp_path / "device", publisher)
    device.update()
    return device


def fetch_key(device: Device, answers: dict[str, Answer] | None = None) -> bytes:
    with serving(device.publisher.registry, answers) as base_url:
        return fetch_enrolment_key(device.home, base_url)


def test_the_key_that_certifies_devices_comes_signed_by_the_offline_keys_and_is_followed(
    device: Device, publisher: Publisher
) -> None:
    with pytest.raises(SignatureRefusedError, match="lists no key"):
        fetch_key(device)
    for key in (b"k" * 32, b"l" * 32):
        exchange_keys(publisher.registry, publisher.offline, publisher.offline, publisher.online, enrolment_key=key)
        assert fetch_key(device) == key
    device.assert_still_uses(1)
    forged = {"authority.pub": lambda handler: send(handler, b"m" * 32)}
    with pytest.raises(SignatureRefusedError):
        fetch_key(device, forged)


def test_a_key_of_another_length_is_refused(device: Device, publisher: Publisher) -> None:
    exchange_keys(publisher.registry, publisher.offline, publisher.offline, publisher.online, enrolment_key=b"short")
    with pytest.raises(SignatureRefusedError, match="lists no key"):
        fetch_key(device)


def test_a_device_installs_the_newest_release_and_loads_it(device: Device, publisher: Publisher) -> None:
    device.assert_still_uses(1)
    publisher.publish(2)
    publisher.publish(3)
    update = device.update()
    assert update.changed
    assert update.installed is not None
    assert update.installed.version == 3
    assert sorted(path.name for path in update.installed.directory.iterdir()) == sorted(RELEASED_FILES)
    device.assert_still_uses(3)


def test_without_anything_new_nothing_changes(device: Device) -> None:
    update = device.update()
    assert not update.changed
    assert update.installed is not None
    assert update.installed.version == 1


def test_a_repository_without_a_release_is_valid(tmp_path: Path) -> None:
    device = Device(tmp_path / "device", Publisher(tmp_path / "server"))
    assert device.update() == Update(None, changed=False)


def test_a_rolled_back_release_arrives_as_a_new_version(device: Device, publisher: Publisher) -> None:
    publisher.publish(2)
    device.update()
    roll_back(publisher.registry, publisher.online, to_version=1)
    update = device.update()
    assert update.installed is not None
    assert update.installed.version == 3
    assert read(update.installed.directory) == f"{ORT}: weights 1".encode()


def test_only_the_installed_release_and_the_one_before_are_kept(device: Device, publisher: Publisher) -> None:
    for version in (2, 3, 4):
        publisher.publish(version)
        device.update()
    assert [release.version for release in ReleaseStore(device.home).installed()] == [4, 3]
    assert sorted(path.name for path in (device.home / "releases").glob("release-*")) == ["release-3", "release-4"]


def flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-3])


def lengthened(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\0")


@pytest.mark.parametrize("name", RELEASED_FILES)
@pytest.mark.parametrize("bend", [flipped, truncated, lengthened])
def test_a_released_file_that_was_altered_is_refused(
    device: Device, publisher: Publisher, name: str, bend: type[flipped]
) -> None:
    publisher.publish(2)
    bend(publisher.files_of(2, name))
    with pytest.raises(SignatureRefusedError, match="isn't the one that was signed"):
        device.update()
    device.assert_still_uses(1)


def test_a_played_back_repository_is_refused(device: Device, publisher: Publisher) -> None:
    old = publisher.keep_copy("old")
    publisher.publish(2)
    device.update()
    publisher.play_back(old)
    with pytest.raises(SignatureRefusedError, match="version"):
        device.update()
    device.assert_still_uses(2)


def test_a_played_back_snapshot_is_refused(device: Device, publisher: Publisher) -> None:
    publisher.publish(2)
    newest = max(publisher.registry.metadata.glob("*.snapshot.json"))
    newest.write_bytes((publisher.registry.metadata / "1.snapshot.json").read_bytes())
    with pytest.raises(SignatureRefusedError):
        device.update()
    device.assert_still_uses(1)


def test_a_repository_that_is_held_back_is_refused_once_it_expires(
    device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    class LaterClock(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:
            return datetime.now(UTC) + timedelta(days=4)

    class LaterModule:
        datetime, timezone = LaterClock, trusted_metadata_set.datetime.timezone

    monkeypatch.setattr(trusted_metadata_set, "datetime", LaterModule)
    with pytest.raises(SignatureRefusedError, match="expired"):
        device.update()
    device.assert_still_uses(1)


def test_metadata_that_expired_before_it_came_is_refused_until_it_is_renewed(tmp_path: Path) -> None:
    publisher = Publisher(tmp_path / "server", now=datetime.now(UTC) - timedelta(days=4))
    publisher.publish(1)
    device = Device(tmp_path / "device", publisher)
    with pytest.raises(SignatureRefusedError, match="expired"):
        device.update()
    renew(publisher.registry, publisher.online)
    assert device.update().changed


def test_a_repository_signed_with_other_keys_is_refused(device: Device, publisher: Publisher, tmp_path: Path) -> None:
    forger = Publisher(tmp_path / "forger")
    for version in (1, 2, 3):
        forger.publish(version, content=b"weights of somebody else")
    device.publisher = forger
    with pytest.raises(SignatureRefusedError, match="signed"):
        device.update()
    device.assert_still_uses(1)


def test_the_online_keys_cant_sign_for_the_offline_ones(device: Device, publisher: Publisher, tmp_path: Path) -> None:
    forger = Publisher(tmp_path / "forger")
    targets = forger.registry.metadata / "1.targets.json"
    (publisher.registry.metadata / "1.targets.json").write_bytes(targets.read_bytes())
    publisher.publish(2)
    for path in (device.home / "releases" / "metadata").glob("targets.json"):
        path.unlink()
    with pytest.raises(SignatureRefusedError):
        device.update()
    device.assert_still_uses(1)


def answer_endlessly(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.end_headers()
    try:
        while True:
            handler.wfile.write(b"\0" * 65_536)
    except OSError:
        handler.close_connection = True


@pytest.mark.parametrize("end", ["timestamp.json", ".snapshot.json", ".releases.json", ORT])
def test_a_server_that_never_stops_sending_is_cut_off(device: Device, publisher: Publisher, end: str) -> None:
    publisher.publish(2)
    with pytest.raises(SignatureRefusedError):
        device.update({end: answer_endlessly})
    device.assert_still_uses(1)


def test_a_server_that_sends_too_slowly_is_left(device: Device, publisher: Publisher) -> None:
    publisher.publish(2)
    with pytest.raises(UnreachableError, match="not done within"):
        device.update(fetcher=BoundedFetcher(longest_seconds=0.0))
    device.assert_still_uses(1)


@pytest.mark.parametrize("end", ["timestamp.json", ".snapshot.json", ".releases.json", ORT])
def test_a_file_that_the_server_lacks_is_named_as_not_to_be_had(device: Device, publisher: Publisher, end: str) -> None:
    publisher.publish(2)
    with pytest.raises(UnreachableError, match="404"):
        device.update({end: lambda handler: handler.send_error(404)})
    device.assert_still_uses(1)


def test_a_connection_that_breaks_half_way_leaves_the_last_good_release(device: Device, publisher: Publisher) -> None:
    publisher.publish(2)
    with pytest.raises(UnreachableError):
        device.update({ORT: lambda handler: send(handler, b"half", announced=8)})
    device.assert_still_uses(1)
    assert device.update().changed


def test_a_redirect_is_not_followed(device: Device, publisher: Publisher) -> None:
    publisher.publish(2)

    def redirect(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(302)
        handler.send_header("Location", "http://127.0.0.1:9/elsewhere")
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    with pytest.raises(UnreachableError, match="302"):
        device.update({ORT: redirect})


def test_a_signed_release_that_no_detector_loads_from_is_not_put_in_place(device: Device, publisher: Publisher) -> None:
    publisher.publish(2, content=b"signed, and still rubbish")
    with pytest.raises(ModelFileError):
        device.update()
    device.assert_still_uses(1)
    assert not list((device.home / "releases").glob(".incoming-*"))
    publisher.publish(3)
    assert device.update().changed


def test_nobody_answering_is_unreachable_and_the_address_shows_no_password(device: Device) -> None:
    with pytest.raises(UnreachableError) as caught:
        update_release(device.home, "http://user:secret@127.0.0.1:9", read)
    assert "secret" not in str(caught.value)
    device.assert_still_uses(1)


@pytest.mark.parametrize("address", ["", "example.org", "ftp://example.org", "file:///etc/passwd", "http://"])
def test_an_address_that_isnt_one_of_http_is_refused(device: Device, address: str) -> None:
    with pytest.raises(UsageError):
        update_release(device.home, address, read)


def test_a_device_without_a_root_is_told_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="root"):
        update_release(tmp_path / "device", "http://127.0.0.1:9", read)


def test_another_root_is_refused_and_the_same_one_is_not(device: Device, publisher: Publisher, tmp_path: Path) -> None:
    trust_root(device.home, publisher.root)
    with pytest.raises(SignatureRefusedError):
        trust_root(device.home, Publisher(tmp_path / "other").root)


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff", b"[]"])
def test_something_else_than_root_metadata_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(ModelFileError):
        trust_root(tmp_path, content)


def test_timestamp_metadata_is_not_root_metadata(tmp_path: Path, publisher: Publisher) -> None:
    with pytest.raises(ModelFileError):
        trust_root(tmp_path, (publisher.registry.metadata / "timestamp.json").read_bytes())


def test_a_release_damaged_on_the_device_gives_way_to_the_good_one_before(device: Device, publisher: Publisher) -> None:
    publisher.publish(2)
    device.update()
    (device.home / "releases" / "release-2" / ORT).write_bytes(b"rubbish")
    device.assert_still_uses(1)


def test_no_release_at_all_is_said(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="no release"):
        load_installed(tmp_path, read)


def test_a_damaged_list_of_releases_is_said(device: Device) -> None:
    (device.home / "releases" / "installed.json").write_bytes(b"{")
    with pytest.raises(ReleaseStoreError):
        load_installed(device.home, read)


def test_a_second_update_at_the_same_time_is_refused(device: Device) -> None:
    with ReleaseStore(device.home).sole_user(), pytest.raises(RefusedError, match="another update"):
        device.update()


@pytest.fixture
def unwritable(device: Device) -> Iterator[Path]:
    blocked = device.home / "releases" / "release-2"
    blocked.write_text("a file where a folder belongs")
    yield blocked
    blocked.unlink()


def test_a_disk_that_cant_be_written_leaves_the_last_good_release(
    device: Device, publisher: Publisher, unwritable: Path
) -> None:
    publisher.publish(2)
    with pytest.raises(ReleaseStoreError):
        device.update()
    device.assert_still_uses(1)


def test_a_rollout_reaches_about_its_share_of_the_devices(tmp_path: Path, publisher: Publisher) -> None:
    stores = [ReleaseStore(tmp_path / str(n)) for n in range(400)]
    reached = sum(store.bucket(7) < 3_000 for store in stores)
    # 400 devices at 30 %: mean 120, standard deviation 9.2; five of them either side.
    assert 74 <= reached <= 166


def test_a_device_outside_the_rollout_gets_the_release_before(tmp_path: Path, publisher: Publisher) -> None:
    publisher.publish(2)
    publisher.publish(3, rollout_percent=0)
    device = Device(tmp_path / "outside", publisher)
    update = device.update()
    assert update.installed is not None
    assert update.installed.version == 2
    set_rollout(publisher.registry, publisher.online, 3, 100)
    device.update()
    device.assert_still_uses(3)


def test_devices_enter_a_widening_rollout_and_never_leave_it(tmp_path: Path, publisher: Publisher) -> None:
    publisher.publish(2, rollout_percent=0)
    device = Device(tmp_path / "one", publisher)
    percent = ReleaseStore(device.home).bucket(2) // 100
    set_rollout(publisher.registry, publisher.online, 2, percent)
    device.update()
    device.assert_still_uses(1)
    set_rollout(publisher.registry, publisher.online, 2, percent + 1)
    device.update()
    device.assert_still_uses(2)
    set_rollout(publisher.registry, publisher.online, 2, 0)
    device.update()
    device.assert_still_uses(2)


def test_a_devices_place_differs_from_version_to_version_and_stays_for_one(tmp_path: Path) -> None:
    store = ReleaseStore(tmp_path)
    places = [store.bucket(version) for version in range(1, 20)]
    assert places == [ReleaseStore(tmp_path).bucket(version) for version in range(1, 20)]
    assert len(set(places)) > 10


def test_the_salt_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    ReleaseStore(tmp_path).bucket(1)
    assert os.stat(tmp_path / "releases" / "rollout.salt").st_mode & 0o077 == 0
