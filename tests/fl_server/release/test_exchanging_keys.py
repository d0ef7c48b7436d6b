from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from tuf.api.metadata import Metadata, Root, Timestamp

from fl_client.releases import Update, trust_root, update_release
from fl_server.release.publishing import read_releases
from fl_server.release.repository import exchange_keys, renew
from fl_server.release.signing import OFFLINE_ROLES, ONLINE_ROLES, Role, SigningKeys, create_keys
from models.errors import RegistryError, SignatureRefusedError
from tests.fl_server.release.full_disk import disk_full_after
from tests.release_server import Publisher, serving


@pytest.fixture
def publisher(tmp_path: Path) -> Publisher:
    publisher = Publisher(tmp_path / "server")
    publisher.publish(1)
    return publisher


@pytest.fixture
def new_offline(tmp_path: Path) -> SigningKeys:
    return create_keys(tmp_path / "new-offline", OFFLINE_ROLES)


@pytest.fixture
def new_online(tmp_path: Path) -> SigningKeys:
    return create_keys(tmp_path / "new-online", ONLINE_ROLES)


@pytest.fixture
def home(tmp_path: Path, publisher: Publisher) -> Path:
    trust_root(tmp_path / "home", publisher.root)
    update(tmp_path / "home", publisher)
    return tmp_path / "home"


def update(home: Path, publisher: Publisher) -> Update:
    with serving(publisher.registry) as url:
        return update_release(home, url, lambda _: None)


def test_devices_follow_an_exchange_of_all_keys_by_themselves(
    publisher: Publisher, home: Path, new_offline: SigningKeys, new_online: SigningKeys
) -> None:
    exchange_keys(publisher.registry, publisher.offline, new_offline, new_online)
    publisher.online = new_online
    publisher.publish(2)
    assert update(home, publisher).changed


def test_a_device_that_slept_through_several_exchanges_follows_all_of_them(
    publisher: Publisher, home: Path, new_offline: SigningKeys, new_online: SigningKeys
) -> None:
    exchange_keys(publisher.registry, publisher.offline, new_offline, publisher.online)
    exchange_keys(publisher.registry, new_offline, new_offline, new_online)
    publisher.online = new_online
    publisher.publish(2)
    assert update(home, publisher).changed
    assert sorted(path.name for path in publisher.registry.metadata.glob("*.root.json")) == [
        "1.root.json",
        "2.root.json",
        "3.root.json",
    ]


def test_the_releases_stay(publisher: Publisher, new_offline: SigningKeys, new_online: SigningKeys) -> None:
    before = read_releases(publisher.registry, publisher.online)
    exchange_keys(publisher.registry, publisher.offline, new_offline, new_online)
    assert read_releases(publisher.registry, new_online) == before


def test_stolen_online_keys_are_worth_nothing_after_the_exchange(
    publisher: Publisher, home: Path, new_online: SigningKeys
) -> None:
    exchange_keys(publisher.registry, publisher.offline, publisher.offline, new_online)
    update(home, publisher)
    with pytest.raises(SignatureRefusedError):
        publisher.publish(2)
    path = publisher.registry.metadata / "timestamp.json"
    forged = Metadata[Timestamp].from_file(str(path))
    forged.signed.version += 1
    publisher.online.sign(Role.TIMESTAMP, forged)
    path.write_bytes(forged.to_bytes())
    with pytest.raises(SignatureRefusedError):
        update(home, publisher)


def test_the_new_root_is_signed_by_the_old_keys_and_by_its_own(
    publisher: Publisher, new_offline: SigningKeys, new_online: SigningKeys
) -> None:
    content = exchange_keys(publisher.registry, publisher.offline, new_offline, new_online)
    root, first = Metadata[Root].from_bytes(content), Metadata[Root].from_bytes(publisher.root)
    assert root.signed.version == 2
    for trusted in (first.signed, root.signed):
        trusted.verify_delegate(Role.ROOT, root.signed_bytes, root.signatures)
    assert root.signed.roles[Role.ROOT].keyids == [key.keyid for key in new_offline.public_keys(Role.ROOT)]


def test_the_same_keys_sign_for_another_lifetime(publisher: Publisher, home: Path) -> None:
    later = publisher.now + timedelta(days=300)
    content = exchange_keys(publisher.registry, publisher.offline, publisher.offline, publisher.online, now=later)
    assert Metadata[Root].from_bytes(content).signed.expires > later + timedelta(days=364)
    targets = Metadata.from_file(str(publisher.registry.metadata / "2.targets.json"))
    assert targets.signed.expires > later + timedelta(days=364)
    publisher.publish(2)
    assert update(home, publisher).changed


def test_strangers_cant_exchange_the_keys(
    publisher: Publisher, new_offline: SigningKeys, new_online: SigningKeys
) -> None:
    before = {path: path.read_bytes() for path in publisher.registry.metadata.iterdir()}
    with pytest.raises(SignatureRefusedError):
        exchange_keys(publisher.registry, new_offline, new_offline, new_online)
    assert {path: path.read_bytes() for path in publisher.registry.metadata.iterdir()} == before


@pytest.mark.parametrize("name", ["timestamp.json", "2.snapshot.json", "2.releases.json", "1.targets.json"])
def test_altered_metadata_is_not_carried_over(
    publisher: Publisher, new_offline: SigningKeys, new_online: SigningKeys, name: str
) -> None:
    path = publisher.registry.metadata / name
    altered = Metadata.from_file(str(path))
    altered.signed.unrecognized_fields["added"] = "by somebody"
    path.write_bytes(altered.to_bytes())
    with pytest.raises(SignatureRefusedError):
        exchange_keys(publisher.registry, publisher.offline, new_offline, new_online)


@pytest.mark.parametrize("files", range(5))
@pytest.mark.parametrize("root_stays", [True, False])
def test_an_exchange_that_breaks_off_anywhere_can_be_done_again(
    publisher: Publisher,
    home: Path,
    new_offline: SigningKeys,
    new_online: SigningKeys,
    monkeypatch: pytest.MonkeyPatch,
    files: int,
    root_stays: bool,
) -> None:
    offline = publisher.offline if root_stays else new_offline
    with disk_full_after(files, monkeypatch), pytest.raises(RegistryError, match="No space"):
        exchange_keys(publisher.registry, publisher.offline, offline, new_online)
    if files < 4:
        # The root isn't there yet: devices and publishers see nothing of the attempt.
        assert not update(home, publisher).changed
        assert renew(publisher.registry, publisher.online) == []
    exchange_keys(publisher.registry, publisher.offline, offline, new_online)
    publisher.online = new_online
    publisher.publish(2)
    assert update(home, publisher).changed
