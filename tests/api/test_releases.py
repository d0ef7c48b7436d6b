from __future__ import annotations

import json
from pathlib import Path

import pytest

from fl_client.api_connection import NotReleasedError
from tests.api.conftest import Api

HASH = "ab" * 32


@pytest.fixture
def published(sqlite_api: Api) -> Api:
    """A registry as the publisher writes it, unsigned: the API verifies nothing, devices do."""
    files = {"version": 2, "rollout_percent": 20, "notes": "second"}
    older = {"version": 1, "rollout_percent": 100, "notes": "first"}
    targets = {
        "releases/1/detector.json": {"length": 3, "hashes": {"sha256": HASH}, "custom": older},
        "releases/2/detector.json": {"length": 7, "hashes": {"sha256": HASH}, "custom": files},
        "releases/current.json": {"length": 1, "hashes": {"sha256": HASH}, "custom": {"offered": [2, 1]}},
    }
    write(sqlite_api.registry, "metadata/timestamp.json", {"meta": {"snapshot.json": {"version": 4}}})
    write(sqlite_api.registry, "metadata/4.snapshot.json", {"meta": {"releases.json": {"version": 3}}})
    write(sqlite_api.registry, "metadata/3.releases.json", {"targets": targets})
    target = sqlite_api.registry / f"targets/releases/2/{HASH}.detector.json"
    target.parent.mkdir(parents=True)
    target.write_bytes(b"0123456789")
    (sqlite_api.registry / "orders").mkdir()
    (sqlite_api.registry / "orders/secret.json").write_text("{}")
    return sqlite_api


def write(registry: Path, name: str, signed: object) -> None:
    path = registry / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"signed": signed, "signatures": []}))


def test_an_empty_registry_is_valid_and_says_that_nothing_was_released(sqlite_api: Api) -> None:
    with pytest.raises(NotReleasedError, match="no release yet"):
        sqlite_api.anonymous().current_release()
    assert sqlite_api.connection.get("/v1/releases/metadata/timestamp.json").status_code == 404


def test_the_newest_release_is_told_in_plain_json(published: Api) -> None:
    release = published.anonymous().current_release()
    assert (release.version, release.rollout_percent, release.notes) == (2, 20, "second")
    assert [(file.name, file.size, file.sha256) for file in release.files] == [("detector.json", 7, HASH)]


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"signed": {}}', '{"signed": {"meta": {"snapshot.json": 1}}}'])
def test_a_damaged_registry_is_said_to_be_so(published: Api, damage: str) -> None:
    (published.registry / "metadata/timestamp.json").write_text(damage)
    response = published.connection.get("/v1/releases/current")
    assert (response.status_code, response.json()["type"]) == (503, "/problems/not-ready")


@pytest.mark.parametrize(
    ("path", "caching"),
    [
        ("metadata/timestamp.json", "no-cache"),
        ("metadata/4.snapshot.json", "public, max-age=31536000, immutable"),
        (f"targets/releases/2/{HASH}.detector.json", "public, max-age=31536000, immutable"),
    ],
)
def test_files_are_cached_as_long_as_their_names_allow(published: Api, path: str, caching: str) -> None:
    response = published.connection.get(f"/v1/releases/{path}")
    assert (response.status_code, response.headers["cache-control"]) == (200, caching)
    assert response.content == (published.registry / path).read_bytes()
    again = published.connection.get(f"/v1/releases/{path}", headers={"If-None-Match": response.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    any_at_all = published.connection.get(f"/v1/releases/{path}", headers={"If-None-Match": "*"})
    assert (any_at_all.status_code, any_at_all.content) == (304, b"")
    head = published.connection.head(f"/v1/releases/{path}")
    assert (head.status_code, head.content, head.headers["etag"]) == (200, b"", response.headers["etag"])


def test_a_changed_file_gets_another_etag(published: Api) -> None:
    before = published.connection.get("/v1/releases/metadata/timestamp.json").headers["etag"]
    write(published.registry, "metadata/timestamp.json", {"meta": {"snapshot.json": {"version": 55}}})
    changed = published.connection.get("/v1/releases/metadata/timestamp.json", headers={"If-None-Match": before})
    assert changed.status_code == 200


def test_a_broken_download_can_go_on(published: Api) -> None:
    path = f"/v1/releases/targets/releases/2/{HASH}.detector.json"
    response = published.connection.get(path, headers={"Range": "bytes=4-"})
    assert (response.status_code, response.content) == (206, b"456789")


@pytest.mark.parametrize("wanted", ["bytes=a-b", "lines=1-2", "bytes=5-2", "bytes=-", "bytes=-0", "bytes=0-1,3-4", "0"])
def test_a_range_that_makes_no_sense_is_ignored(published: Api, wanted: str) -> None:
    path = f"/v1/releases/targets/releases/2/{HASH}.detector.json"
    response = published.connection.get(path, headers={"Range": wanted})
    assert (response.status_code, response.content) == (200, b"0123456789")


def test_a_range_beyond_the_end_is_refused(published: Api) -> None:
    path = f"/v1/releases/targets/releases/2/{HASH}.detector.json"
    response = published.connection.get(path, headers={"Range": "bytes=10-"})
    assert (response.status_code, response.json()["type"]) == (416, "/problems/range-not-satisfiable")
    assert response.headers["content-range"] == "bytes */10"


def test_a_range_is_of_get_alone(published: Api) -> None:
    path = f"/v1/releases/targets/releases/2/{HASH}.detector.json"
    for wanted in ("bytes=4-", "bytes=10-"):
        response = published.connection.head(path, headers={"Range": wanted})
        assert (response.status_code, response.headers["content-length"]) == (200, "10")


@pytest.mark.parametrize(
    "path",
    [
        "metadata/../orders/secret.json",
        "metadata/%2e%2e/orders/secret.json",
        "metadata/%2e%2e%2forders%2fsecret.json",
        "metadata/..%5corders%5csecret.json",
        "targets//etc/passwd",
        "targets/%2fetc%2fpasswd",
        "targets/./releases",
        "targets/releases",
        "targets/releases/2/",
        "metadata/timestamp.json%00.png",
        "metadata/",
        "metadata/link.json",
        "metadata/" + "a" * 5000,
    ],
)
def test_no_name_leads_out_of_the_folder(published: Api, path: str) -> None:
    (published.registry / "metadata/link.json").symlink_to(published.registry / "orders/secret.json")
    response = published.connection.get(f"/v1/releases/{path}")
    assert response.status_code == 404
    assert response.headers["content-type"] == "application/problem+json"
