"""No word of a device's calls is anywhere but on the device: this test stays for ever.

Every call of the population carries a canary word. After the main job, everything that was written and every byte that
crossed a socket or the grid is searched for it.
"""

from __future__ import annotations

import base64
import io
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch
from rich.progress import Progress

from models.corpus.generator import generate_calls
from models.corpus.reader import write_calls
from models.detector.training import TrainingSettings, train_detector
from models.domain.call import Call
from models.domain.privacy import PrivacyMode
from models.text.ngrams import NgramScheme, ngram_ids
from simulations.progress import ProgressBars
from simulations.run import Taps, run_simulation
from simulations.settings import RunSettings
from simulations.workspace import open_workspace
from tests.end_to_end.leak_search import compress_with_gzip, find_word, find_word_below, forms_of
from tests.end_to_end.recording_proxy import recording_proxy
from tests.end_to_end.test_run import small_world

pytestmark = pytest.mark.usefixtures("open_week")

CANARY = "뷁쀍뚥캵"
"""Four syllables that no Korean word holds."""

FORMS = forms_of(CANARY, NgramScheme())


@dataclass(frozen=True)
class Traces:
    """What a run left behind."""

    written: Path
    grid: list[bytes]
    sockets: list[bytes]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with calls that carry the canary and a base detector that never saw them."""
    folder = tmp_path_factory.mktemp("world")
    write_calls(folder / "calls.jsonl", [_with_canary(call) for call in generate_calls(240, seed=5, vishing_share=0.4)])
    # On one thread the run repeats exactly, and so does the gate's word.
    torch.set_num_threads(1)
    train_detector(generate_calls(300, seed=6), TrainingSettings(epochs=3)).save(folder / "base")
    return folder


@pytest.fixture(scope="module", params=[PrivacyMode.BOTH, PrivacyMode.SECURE])
def traces(request: pytest.FixtureRequest, world: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Traces]:
    folder = tmp_path_factory.mktemp("leaks")
    # So small cohorts bear few losses under secure aggregation; there are some, so that secrets are rebuilt.
    settings = RunSettings(
        devices=80,
        cohort=30,
        rounds=2,
        privacy=request.param,
        dropout=0.05,
        calls=world / "calls.jsonl",
        base=world / "base",
    )
    grid: list[bytes] = []
    # What so little noised training comes to need not pass the gate: words are searched for, not F1.
    with small_world(), recording_proxy() as proxy:
        workspace = open_workspace(folder / "run", settings.digest(), resume=False)
        outcome = run_simulation(
            settings, workspace, ProgressBars(Progress(disable=True)), Taps(grid.append, proxy.before)
        )
        assert outcome.content.statistics is not None, outcome.conditions
        assert all(round_.report.aborted is None for round_ in outcome.content.rounds)
        yield Traces(folder / "run", grid, proxy.crossed)


def _with_canary(call: Call) -> Call:
    first, *rest = call.segments
    return replace(call, segments=(replace(first, text=f"{CANARY} {first.text} {CANARY}"), *rest))


def test_nothing_that_is_written_holds_a_word_of_a_call(traces: Traces) -> None:
    files = [path for path in traces.written.rglob("*") if path.is_file()]
    assert {"report.html", "api.sqlite3", "api.log"} <= {path.name for path in files}
    assert find_word_below(traces.written, FORMS) == {}


def test_no_byte_on_the_grid_holds_a_word_of_a_call(traces: Traces) -> None:
    assert len(traces.grid) > 40
    assert [found for message in traces.grid if (found := find_word(message, FORMS))] == []


def test_no_byte_on_a_socket_holds_a_word_of_a_call(traces: Traces) -> None:
    assert sum(map(len, traces.sockets)) > 100_000
    assert [found for stream in traces.sockets if (found := find_word(stream, FORMS))] == []


def _leaks() -> dict[str, bytes]:
    spoken = f"여보세요 {CANARY} 네".encode()
    ids = ngram_ids(CANARY, NgramScheme())
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as zipped:
        zipped.writestr("words", spoken)
    plain = {
        "UTF-8": spoken,
        "UTF-16": spoken.decode().encode("utf-16"),
        **{f"base64 at {place}": base64.b64encode(b"x" * place + spoken) for place in range(3)},
        "32-bit ids": struct.pack(f"<{len(ids)}i", *ids),
        "64-bit ids": struct.pack(f"<{len(ids)}q", *ids),
    }
    packed = {
        "gzip": compress_with_gzip(spoken),
        "zlib": zlib.compress(spoken, 1),
        "zlib cut short": zlib.compress(spoken + bytes(range(256)) * 40)[:-30],
        "gzip of base64": compress_with_gzip(base64.b64encode(spoken)),
        "gzip of ids": compress_with_gzip(struct.pack(f"<{len(ids)}i", *ids)),
        "zip": archive.getvalue(),
    }
    return plain | packed


@pytest.mark.parametrize("how", sorted(_leaks()))
def test_a_word_leaked_on_purpose_is_found(how: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(bytes(7) + _leaks()[how] + b"\xff" * 9)
    assert find_word_below(tmp_path, FORMS)


def test_a_device_that_sends_its_words_is_caught(traces: Traces) -> None:
    leaking = traces.grid[1] + zlib.compress(f"{CANARY}".encode())
    assert find_word(leaking, FORMS)
