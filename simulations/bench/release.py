"""A release on a device: latency, start, memory and size, for one call of 107 words on one thread, beside peers."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from itertools import cycle
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch

from fl_client.detection import CallJudge
from fl_client.releases import RELEASED_FILES
from models.corpus.generator import generate_calls
from models.detector.detector import TrainedDetector
from models.detector.embedded_calls import index_words
from models.detector.export import export_detector
from models.detector.onnx_contract import ModelVariant
from models.detector.runtime import OnnxDetector, feed
from models.detector.scoring import score_embedded, score_indexed
from models.detector.training import TrainingSettings, train_detector
from models.text.clean import split_words
from models.text.ngrams import encode_words, ngram_ids
from simulations.bench.row import Row, compare, median_seconds, print_rows

WORDS, REPEATS = 107, 200
PAUSE_SECONDS, PAUSED_REPEATS = 0.01, 60
STARTS = 9
MEGABYTE = 1e6

_Call = TypeVar("_Call")

_DETECTING = """
from pathlib import Path
from fl_client.detection import CallJudge
from models.detector.onnx_contract import ModelVariant
from models.detector.runtime import OnnxDetector
judge = CallJudge(OnnxDetector.load(Path({folder!r}), ModelVariant.INT8_ORT))
judge.hear({words!r})
judge.judge(60)
"""
_LIBRARIES_ALONE = "import numpy, onnxruntime"
_IN_TORCH = """
from pathlib import Path
from models.detector.detector import TrainedDetector
from models.detector.embedded_calls import index_words
from models.detector.scoring import score_indexed
trained = TrainedDetector.load(Path({folder!r}))
score_indexed(trained.build_network(), index_words([{words!r}], [0], trained.embedding, trained.bag))
"""
_RESIDENT = """
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""
"""In kilobytes. The kernel's other figure, `ru_maxrss`, would be that of the process that started this one."""


def measure() -> list[Row]:
    """Return the rows of a small detector of the sizes that ship."""
    torch.set_num_threads(1)
    calls = generate_calls(200, seed=3)
    trained = train_detector(calls, TrainingSettings(epochs=1))
    heard = [(split_words(call.transcript) * WORDS)[:WORDS] for call in calls]
    with tempfile.TemporaryDirectory() as folder:
        export_detector(trained, Path(folder))
        trained.save(Path(folder) / "trained")
        return [
            *_latencies(trained, OnnxDetector.load(Path(folder)), heard),
            *_processes(Path(folder), heard[0]),
            *_sizes(trained, Path(folder)),
        ]


def _latencies(trained: TrainedDetector, detector: OnnxDetector, heard: list[list[str]]) -> list[Row]:
    """Return the rows of one call at a time, each time another one: a device hears none twice."""
    network, scheme = trained.build_network(), detector.card.scheme
    ids = encode_words(heard[0], scheme)[np.newaxis]
    feeds = feed(ids, detector.silence.hear(ids)[1], detector.silence)
    embedded = index_words(heard[:1], [0], trained.embedding, trained.bag).embed()
    texts = [" ".join(words) for words in heard]

    def in_torch(text: str) -> float:
        return float(score_indexed(network, index_words([split_words(text)], [0], trained.embedding, trained.bag))[0])

    peers: dict[str, tuple[str, Callable[[], object], Callable[[], object]]] = {
        "network": (
            "torch FP32, embedded before",
            lambda: detector.session.run(["logit"], feeds),
            lambda: score_embedded(network, embedded),
        ),
        "ngram_ids": (
            "the same in plain Python",
            _in_turn(lambda words: encode_words(words, scheme), heard),
            _in_turn(lambda words: [ngram_ids(word, scheme) for word in words], heard),
        ),
        "latency": (
            "torch FP32",
            _in_turn(lambda text: detector.score(split_words(text)), texts),
            _in_turn(in_torch, texts),
        ),
        "text_to_verdict": (
            "torch FP32, score alone",
            _in_turn(lambda text: _judge(detector, text), texts),
            _in_turn(in_torch, texts),
        ),
    }
    in_turns = [_latency(name, *timed) for name, timed in peers.items()]
    return [
        *in_turns,
        *(_by_itself(name, *peers[name]) for name in ("network", "text_to_verdict")),
        _after_pauses(*peers["text_to_verdict"]),
    ]


def _latency(name: str, peer: str, ours: Callable[[], object], theirs: Callable[[], object]) -> Row:
    """Return the row of two that take turns: each finds the caches full of the other's."""
    return _row(name, peer, *median_seconds([ours, theirs], REPEATS))


def _by_itself(name: str, peer: str, ours: Callable[[], object], theirs: Callable[[], object]) -> Row:
    """Return the row of two of which each works call after call, as a server or a replay does."""
    value, peer_value = (median_seconds([work], REPEATS)[0] for work in (ours, theirs))
    return _row(f"{name}_by_itself", peer, value, peer_value)


def _after_pauses(peer: str, ours: Callable[[], object], theirs: Callable[[], object]) -> Row:
    """Return the row of two that wait before each call, as a phone does that listens to one call."""

    def wait() -> None:
        time.sleep(PAUSE_SECONDS)

    _, value, _, peer_value = median_seconds([wait, ours, wait, theirs], PAUSED_REPEATS)
    return _row("text_to_verdict_after_pauses", peer, value, peer_value)


def _row(name: str, peer: str, value: float, peer_value: float) -> Row:
    return compare(f"release_{name}_t{WORDS}", "ms", 1e3 * value, peer, 1e3 * peer_value)


def _in_turn(work: Callable[[_Call], object], calls: Sequence[_Call]) -> Callable[[], object]:
    following = cycle(calls)
    return lambda: work(next(following))


def _judge(detector: OnnxDetector, text: str) -> None:
    judge = CallJudge(detector)
    judge.hear(split_words(text))
    judge.judge(60)


def _processes(folder: Path, words: list[str]) -> list[Row]:
    """Return a whole process's time from its start to its first verdict and end, and the most memory it had."""
    detecting = _DETECTING.format(folder=str(folder), words=words)
    in_torch = _IN_TORCH.format(folder=str(folder / "trained"), words=words)
    start, alone = median_seconds([lambda: _run(detecting), lambda: _run(_LIBRARIES_ALONE)], STARTS)
    resident, peer = (int(_run(code + _RESIDENT)) * 1024 / MEGABYTE for code in (detecting, in_torch))
    return [
        compare("release_start_to_first_verdict", "s", start, "a process that imports numpy and onnxruntime", alone),
        compare("release_resident_memory", "MB", resident, "torch FP32", peer),
    ]


def _run(code: str) -> str:
    own = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    return subprocess.run([sys.executable, "-c", code], env=own, capture_output=True, text=True, check=True).stdout  # noqa: S603


def _sizes(trained: TrainedDetector, folder: Path) -> list[Row]:
    int8, fp32 = ((folder / variant).stat().st_size for variant in (ModelVariant.INT8, ModelVariant.FP32))
    table = trained.tables_size
    package = sum((folder / name).stat().st_size for name in RELEASED_FILES)
    unquantised = trained.embedding.table.nbytes + sum(array.nbytes for array in trained.parameters.values())
    return [
        compare("release_network_size", "MB", (int8 - table) / MEGABYTE, "FP32", (fp32 - table) / MEGABYTE),
        compare("release_package_size", "MB", package / MEGABYTE, "one file, FP32 table", unquantised / MEGABYTE),
    ]


if __name__ == "__main__":
    print_rows(measure())
