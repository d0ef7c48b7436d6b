from __future__ import annotations

import contextlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.detector.classifier import Classifier
from models.detector.detector import FORMAT, TrainedDetector
from models.detector.export import export_detector
from models.detector.model_file import read_arrays, read_metadata, write_arrays, write_metadata
from models.detector.parameters import read_parameters
from models.detector.runtime import OnnxDetector
from models.errors import ModelFileError
from models.text.vocabulary import Vocabulary
from tests.models.detector.small import SCHEME, small_bag, small_detector


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("saved")
    small_detector().save(folder)
    return folder


def test_the_paper_network_has_93_826_parameters() -> None:
    assert sum(array.size for array in read_parameters(Classifier(300)).values()) == 93_826


def test_what_is_saved_is_loaded_again(tmp_path: Path) -> None:
    trained = small_detector()
    trained.save(tmp_path / "new" / "folder")

    loaded = TrainedDetector.load(tmp_path / "new" / "folder")

    assert loaded.card == trained.card
    assert loaded.lineage == trained.lineage
    assert np.array_equal(loaded.bag.table, trained.bag.table)
    assert loaded.bag.bias == trained.bag.bias
    for name, array in trained.parameters.items():
        assert np.array_equal(loaded.parameters[name], array)


def test_the_vocabulary_is_saved_exported_and_left_alone_by_further_rounds(tmp_path: Path) -> None:
    vocabulary = Vocabulary.of_calls([["검찰에서", "계좌를"]] * 5)
    trained = replace(small_detector(), vocabulary=vocabulary)
    trained.save(tmp_path / "trained")
    loaded = TrainedDetector.load(tmp_path / "trained")
    export_detector(loaded.with_parameters(loaded.parameters), tmp_path / "exported")
    assert OnnxDetector.load(tmp_path / "exported").card.vocabulary == vocabulary
    assert "검찰에서" not in (tmp_path / "exported" / "detector.json").read_text()


def test_a_detector_from_before_there_were_vocabularies_has_none(tmp_path: Path) -> None:
    small_detector().save(tmp_path)
    metadata = json.loads((tmp_path / "detector.json").read_text())
    assert metadata.pop("vocabulary") is None
    (tmp_path / "detector.json").write_text(json.dumps(metadata))
    assert TrainedDetector.load(tmp_path).vocabulary is None
    for damaged in ("", "가", 5, ["AA=="]):
        (tmp_path / "detector.json").write_text(json.dumps(metadata | {"vocabulary": damaged}))
        with pytest.raises(ModelFileError):
            TrainedDetector.load(tmp_path)


@pytest.mark.parametrize("name", ["detector.json", "embedding.npz", "bag.npz", "parameters.npz"])
@pytest.mark.parametrize("missing", [True, False])
def test_a_missing_or_truncated_file_is_refused(tmp_path: Path, name: str, missing: bool) -> None:
    small_detector().save(tmp_path)
    path = tmp_path / name
    path.unlink() if missing else path.write_bytes(path.read_bytes()[:-9])

    with pytest.raises(ModelFileError):
        TrainedDetector.load(tmp_path)


def rewrite(folder: Path, name: str, changed: dict[str, Any]) -> None:
    """Change arrays of an archive (None takes one away) under a hash that fits: what a careless publisher would do."""
    with np.load(folder / name) as archive:
        arrays = {**archive, **changed}
    write_arrays(folder / name, {key: np.asarray(value) for key, value in arrays.items() if value is not None})
    write_metadata(folder, read_metadata(folder, FORMAT), ("embedding.npz", "bag.npz", "parameters.npz"))


ROWS = SCHEME.buckets + 1
BAD_ARRAYS: dict[str, tuple[str, dict[str, Any]]] = {
    "a bag without its bias": ("bag.npz", {"bias": None}),
    "a bag of two biases": ("bag.npz", {"bias": [0.1, 0.2]}),
    "a bias that is a word": ("bag.npz", {"bias": "x"}),
    "a bias that is NaN": ("bag.npz", {"bias": np.nan}),
    "a bag of another size": ("bag.npz", {"table": np.zeros((ROWS - 1, 2), np.float16)}),
    "a bag without rows": ("bag.npz", {"table": np.zeros((0, 2), np.float16)}),
    "a bag of another type": ("bag.npz", {"table": np.zeros((ROWS, 2), np.float32)}),
    "a bag whose columns are swapped": ("bag.npz", {"table": small_bag().table[:, ::-1]}),
    "a scheme of words": ("embedding.npz", {"longest": "x"}),
    "two numbers of buckets": ("embedding.npz", {"buckets": [ROWS, ROWS]}),
    "an embedding without rows": ("embedding.npz", {"buckets": -1, "rows": np.zeros((0, 8), np.int8)}),
    "a parameter of another shape": ("parameters.npz", {"head.output.bias": [0.0, 0.0]}),
}


@pytest.mark.parametrize(("name", "changed"), BAD_ARRAYS.values(), ids=BAD_ARRAYS)
def test_arrays_that_no_detector_has_are_refused_though_their_hash_fits(
    tmp_path: Path, name: str, changed: dict[str, Any]
) -> None:
    small_detector().save(tmp_path)
    rewrite(tmp_path, name, {})
    TrainedDetector.load(tmp_path)
    rewrite(tmp_path, name, changed)

    with pytest.raises(ModelFileError):
        TrainedDetector.load(tmp_path)


@given(data=st.data(), name=st.sampled_from(["embedding.npz", "bag.npz", "parameters.npz"]))
@settings(max_examples=60)
def test_whatever_bytes_an_archive_holds_it_is_read_or_refused(saved: Path, data: st.DataObject, name: str) -> None:
    content = bytearray((saved / name).read_bytes())
    for place in data.draw(st.lists(st.integers(-400, 300), min_size=1, max_size=20)):
        content[place] = data.draw(st.integers(0, 255))
    spoiled = saved / "spoiled.npz"
    spoiled.write_bytes(content)

    with contextlib.suppress(ModelFileError):
        read_arrays(spoiled)


@pytest.mark.parametrize("found", ["hearsay-trained-detector/1", "hearsay-detector/3", None])
def test_a_folder_of_another_version_says_what_to_do(tmp_path: Path, found: str | None) -> None:
    small_detector().save(tmp_path)
    metadata = json.loads((tmp_path / "detector.json").read_text())
    (tmp_path / "detector.json").write_text(json.dumps(metadata | {"format": found}))

    for load in (TrainedDetector.load, OnnxDetector.load):
        with pytest.raises(ModelFileError, match="train or export it anew"):
            load(tmp_path)


def test_parts_of_different_detectors_are_refused() -> None:
    with pytest.raises(ModelFileError, match="shape"):
        small_detector(8).with_parameters(small_detector(4).parameters).build_network()


def test_parameters_that_are_not_finite_are_refused() -> None:
    parameters = {name: array.copy() for name, array in small_detector().parameters.items()}
    parameters["head.output.bias"][0] = np.nan

    with pytest.raises(ModelFileError, match="finite"):
        small_detector().with_parameters(parameters).build_network()


def test_a_folder_that_is_a_file_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")

    with pytest.raises(ModelFileError, match="taken"):
        small_detector().save(tmp_path / "taken")
