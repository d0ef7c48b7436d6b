"""A repository of releases, published for real and served over real HTTP, that tests can bend as an attacker would."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from fl_server.registry import Registry, create_registry
from fl_server.release.publishing import publish_release
from fl_server.release.repository import create_repository
from fl_server.release.signing import OFFLINE_ROLES, ONLINE_ROLES, SigningKeys, create_keys
from fl_server.release.targets import RELEASED_FILES, PublishedRelease

Answer = Callable[[BaseHTTPRequestHandler], None]


class Publisher:
    """A registry with its own keys."""

    def __init__(self, folder: Path, now: datetime | None = None) -> None:
        self.folder, self.now = folder, now or datetime.now(UTC)
        self.registry: Registry = create_registry(folder / "registry")
        self.offline: SigningKeys = create_keys(folder / "offline", OFFLINE_ROLES)
        self.online: SigningKeys = create_keys(folder / "online", ONLINE_ROLES)
        self.root = create_repository(self.registry, self.offline, self.online, now=self.now)

    def publish(self, version: int, rollout_percent: int = 100, content: bytes | None = None) -> PublishedRelease:
        exported = self.folder / f"exported-{version}"
        write_export(exported, content or f"weights {version}".encode())
        return publish_release(self.registry, self.online, exported, version, rollout_percent, now=self.now)

    def keep_copy(self, name: str) -> Path:
        """What an attacker saved of the repository to play back later."""
        copy = self.folder / name
        shutil.copytree(self.registry.root, copy)
        return copy

    def play_back(self, copy: Path) -> None:
        shutil.rmtree(self.registry.root)
        shutil.copytree(copy, self.registry.root)

    def files_of(self, version: int, name: str) -> Path:
        (path,) = (self.registry.targets / "releases" / str(version)).glob(f"*.{name}")
        return path


def write_export(folder: Path, content: bytes) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in RELEASED_FILES:
        (folder / name).write_bytes(name.encode() + b": " + content)


@contextmanager
def serving(registry: Registry, answers: dict[str, Answer] | None = None) -> Iterator[str]:
    """Serve a registry as the API does and give the base address; ``answers`` by end of path replace files."""
    folders = {"/v1/releases/metadata/": registry.metadata, "/v1/releases/targets/": registry.targets}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            for end, answer in (answers or {}).items():
                if self.path.endswith(end):
                    answer(self)
                    return
            for prefix, folder in folders.items():
                path = folder / self.path.removeprefix(prefix)
                if self.path.startswith(prefix) and path.is_file():
                    send(self, path.read_bytes())
                    return
            self.send_error(404)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def send(handler: BaseHTTPRequestHandler, content: bytes, announced: int | None = None) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(content) if announced is None else announced))
    handler.end_headers()
    handler.wfile.write(content)
