from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from tuf.api.metadata import Metadata, Timestamp

from fl_server.release.signing import (
    OFFLINE_ROLES,
    ONLINE_ROLES,
    Role,
    SigningKeyError,
    SigningKeyExposedError,
    create_keys,
    load_keys,
)
from models.errors import SignatureRefusedError


def test_offline_and_online_keys_are_made_apart(tmp_path: Path) -> None:
    create_keys(tmp_path / "offline", OFFLINE_ROLES)
    create_keys(tmp_path / "online", ONLINE_ROLES)
    assert sorted(path.name for path in (tmp_path / "offline").iterdir()) == ["root-1.pem", "targets-1.pem"]
    assert not {path.name for path in (tmp_path / "online").iterdir()} & {"root-1.pem", "targets-1.pem"}


def test_private_keys_are_readable_by_their_owner_only(tmp_path: Path) -> None:
    create_keys(tmp_path / "keys", ONLINE_ROLES)
    assert stat.S_IMODE(os.stat(tmp_path / "keys").st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "keys").iterdir()} == {0o600}


def test_keys_come_back_from_the_disk(tmp_path: Path) -> None:
    made = create_keys(tmp_path, ONLINE_ROLES, keys_a_role=2)
    read = load_keys(tmp_path, ONLINE_ROLES)
    for role in ONLINE_ROLES:
        assert [key.keyid for key in read.public_keys(role)] == [key.keyid for key in made.public_keys(role)]
        assert len(read.public_keys(role)) == 2


def test_no_key_is_ever_overwritten(tmp_path: Path) -> None:
    made = create_keys(tmp_path, [Role.ROOT])
    with pytest.raises(SigningKeyError, match="already"):
        create_keys(tmp_path, [Role.ROOT])
    assert load_keys(tmp_path, [Role.ROOT]).public_keys(Role.ROOT) == made.public_keys(Role.ROOT)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
def test_a_key_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    create_keys(tmp_path, [Role.ROOT])
    (tmp_path / "root-1.pem").chmod(mode)
    with pytest.raises(SigningKeyExposedError):
        load_keys(tmp_path, [Role.ROOT])


@pytest.mark.parametrize(
    "content", [b"", b"not a key", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"]
)
def test_a_damaged_key_is_named_and_not_quoted(tmp_path: Path, content: bytes) -> None:
    create_keys(tmp_path, [Role.ROOT])
    (tmp_path / "root-1.pem").write_bytes(content)
    with pytest.raises(SigningKeyError, match=r"root-1\.pem") as caught:
        load_keys(tmp_path, [Role.ROOT])
    assert "AAAA" not in str(caught.value)


def test_a_key_of_another_kind_is_refused(tmp_path: Path) -> None:
    create_keys(tmp_path, [Role.ROOT])
    other = generate_private_key(SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "root-1.pem").write_bytes(other)
    with pytest.raises(SigningKeyError, match="Ed25519"):
        load_keys(tmp_path, [Role.ROOT])


def test_a_role_without_a_key_is_named(tmp_path: Path) -> None:
    keys = create_keys(tmp_path, ONLINE_ROLES)
    with pytest.raises(SigningKeyError, match="root"):
        load_keys(tmp_path, OFFLINE_ROLES)
    with pytest.raises(SigningKeyError, match="root"):
        keys.public_keys(Role.ROOT)


def test_there_is_at_least_one_key_a_role(tmp_path: Path) -> None:
    with pytest.raises(SigningKeyError, match="one key"):
        create_keys(tmp_path, [Role.ROOT], keys_a_role=0)


def test_keys_show_nothing_of_themselves(tmp_path: Path) -> None:
    keys = create_keys(tmp_path, [Role.ROOT])
    secret = (tmp_path / "root-1.pem").read_text().splitlines()[1]
    assert secret not in repr(keys)
    assert repr(keys) == "SigningKeys()"


def test_only_what_our_own_keys_signed_is_taken_for_ours(tmp_path: Path) -> None:
    ours, theirs = (create_keys(tmp_path / name, [Role.TIMESTAMP]) for name in ("ours", "theirs"))
    metadata = Metadata(Timestamp())
    with pytest.raises(SignatureRefusedError):
        ours.verify_own(Role.TIMESTAMP, metadata)
    theirs.sign(Role.TIMESTAMP, metadata)
    with pytest.raises(SignatureRefusedError):
        ours.verify_own(Role.TIMESTAMP, metadata)
    ours.sign(Role.TIMESTAMP, metadata)
    ours.verify_own(Role.TIMESTAMP, metadata)
    metadata.signed.version += 1
    with pytest.raises(SignatureRefusedError):
        ours.verify_own(Role.TIMESTAMP, metadata)
