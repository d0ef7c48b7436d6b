"""The reader in JavaScript gives Python's words, ids and scores: under Node and in a browser page."""

from __future__ import annotations

import fcntl
import functools
import http.server
import json
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from fl_client.releases import RELEASED_FILES
from models.detector.decision import EARLY_WORDS, FEWEST_WORDS, LATE_WORDS, decide
from models.detector.onnx_contract import FORMAT, OPSET, STATE, ModelVariant
from models.detector.runtime import OnnxDetector
from tests.models.detector.test_bad_release import constant, spoil, with_one
from tests.simulations.report.chromium import CHROMIUM, open_page
from tests.vectors.make import RELEASE, VECTORS

HERE, ROOT = Path(__file__).parent, Path(__file__).parents[3]
READER = ROOT / "fl_client/javascript"
PACKAGES = ROOT / "build/javascript"
NODE, NPM = shutil.which("node"), shutil.which("npm")
VARIANTS = (ModelVariant.INT8, ModelVariant.INT8_ORT)


@pytest.fixture(scope="module")
def packages() -> Path:
    """Return ONNX Runtime's packages as pinned, installed once below build/."""
    wanted = json.loads((READER / "package.json").read_text())["devDependencies"]
    PACKAGES.mkdir(parents=True, exist_ok=True)
    with (PACKAGES / ".lock").open("w") as lock:  # tests may run in several processes
        fcntl.flock(lock, fcntl.LOCK_EX)
        if any(_installed(name) != version for name, version in wanted.items()):
            _install([f"{name}@{version}" for name, version in wanted.items()])
    return PACKAGES / "node_modules"


def _installed(name: str) -> str | None:
    facts = PACKAGES / "node_modules" / name / "package.json"
    return json.loads(facts.read_text())["version"] if facts.exists() else None


def _install(pinned: list[str]) -> None:
    if NPM is None:
        pytest.skip("npm is not there to fetch ONNX Runtime for JavaScript")
    quiet = ["--ignore-scripts", "--no-package-lock", "--no-audit", "--no-fund", "--prefix", str(PACKAGES)]
    try:
        done = subprocess.run([NPM, "install", *quiet, *pinned], capture_output=True, check=False, timeout=180)
    except subprocess.TimeoutExpired:
        pytest.skip("npm took too long to fetch ONNX Runtime for JavaScript")
    if done.returncode:
        pytest.skip("npm can't fetch ONNX Runtime for JavaScript here")


def check(told: dict[str, Any]) -> None:
    """Compare with the golden vectors, and the verdicts and attention with what they must be."""
    vectors = json.loads(VECTORS.read_text())
    thresholds = OnnxDetector.load(RELEASE).thresholds
    assert len(told["found"]) == len(vectors)
    for found, expected in zip(told["found"], vectors, strict=True):
        assert found["words"] == expected["words"], expected["name"]
        assert found["ids"] == expected["ids"], expected["name"]
        assert found["score"] == pytest.approx(expected["score"], abs=1e-5), expected["name"]
        assert found["growing"] == pytest.approx(expected["growing"], abs=1e-5), expected["name"]
        assert found["verdict"] == decide(found["score"], len(expected["words"]), thresholds), expected["name"]
        assert found["attention"] == pytest.approx(1.0 if expected["words"] else 0.0)
    assert set(told["damaged"].values()) == {"refused"}
    assert len(told["damaged"]) == 13


@pytest.mark.skipif(NODE is None, reason="Node is not installed")
@pytest.mark.parametrize("variant", VARIANTS)
def test_node_gives_the_golden_scores_and_refuses_damaged_releases(packages: Path, variant: ModelVariant) -> None:
    done = run_node(packages, RELEASE, variant)
    assert done.returncode == 0, done.stderr
    check(json.loads(done.stdout))


@pytest.mark.skipif(NODE is None, reason="Node is not installed")
@pytest.mark.parametrize("table", ["table", "bag_table"])
def test_node_refuses_padding_that_is_not_zero(packages: Path, tmp_path: Path, table: str) -> None:
    shutil.copytree(RELEASE, tmp_path, dirs_exist_ok=True)
    spoil(tmp_path, lambda model, _: constant(model, table, with_one(0, 1)))
    done = run_node(packages, tmp_path, ModelVariant.INT8)
    assert "ReleaseError: the padding's row" in done.stderr


def run_node(packages: Path, release: Path, variant: ModelVariant) -> subprocess.CompletedProcess[str]:
    ort = packages / "onnxruntime-node/dist/index.js"
    command = [str(NODE), str(HERE / "node.mjs"), str(READER / "hearsay.mjs"), str(ort), str(release), variant]
    return subprocess.run([*command, str(VECTORS)], capture_output=True, text=True, check=False, timeout=120)


@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
def test_a_browser_page_gives_the_golden_scores_and_refuses_damaged_releases(packages: Path, tmp_path: Path) -> None:
    site = _lay_out(packages, tmp_path / "site")
    with _serving(site) as address, open_page(f"{address}/page.html", tmp_path / "profile") as page:
        for variant in VARIANTS:
            told = page.wait_and_measure(f"globalThis.run({variant.value!r})")
            check(json.loads(told))
        requests = [each["params"]["request"]["url"] for each in page.events if "request" in each.get("params", {})]
    assert requests
    assert all(url.startswith((address, "data:", "blob:")) for url in requests)


def test_the_readers_names_are_pythons() -> None:
    source = (READER / "hearsay.mjs").read_text(encoding="utf-8")
    assert f'FORMAT = "{FORMAT}"' in source
    assert f"OPSET = {OPSET};" in source
    assert f"FEWEST_WORDS = {FEWEST_WORDS};" in source
    assert f"EARLY_WORDS = {EARLY_WORDS};" in source
    assert f"LATE_WORDS = {LATE_WORDS};" in source
    assert f"STATE = {json.dumps(STATE)}" in source


def test_packages_are_pinned_exactly_and_nothing_names_a_registry() -> None:
    facts = json.loads((READER / "package.json").read_text())
    assert all(version[0].isdigit() for version in facts["devDependencies"].values())
    assert not list(READER.glob("*lock*"))


def _lay_out(packages: Path, site: Path) -> Path:
    shutil.copytree(RELEASE, site / "release")
    (site / "ort").mkdir()
    for name in ("ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm"):
        (site / "ort" / name).symlink_to(packages / "onnxruntime-web/dist" / name)
    for path in (READER / "hearsay.mjs", HERE / "reader.mjs", HERE / "page.html", VECTORS):
        shutil.copy(path, site)
    return site


class _Quiet(http.server.SimpleHTTPRequestHandler):
    extensions_map = {".html": "text/html", ".mjs": "text/javascript", ".wasm": "application/wasm"}  # noqa: RUF012

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@contextmanager
def _serving(site: Path) -> Iterator[str]:
    handler = functools.partial(_Quiet, directory=str(site))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_the_golden_release_holds_the_files_of_every_release() -> None:
    assert {path.name for path in RELEASE.iterdir()} == set(RELEASED_FILES)
