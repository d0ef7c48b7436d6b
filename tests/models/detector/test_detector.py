from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.detector.classifier import Classifier
from models.detector.detector import TrainedDetector
from models.detector.export import export_detector
from models.detector.parameters import read_parameters
from models.detector.runtime import OnnxDetector
from models.errors import ModelFileError
from models.text.vocabulary import Vocabulary
from tests.models.detector.small import small_detector


def test_the_paper_network_has_93_826_parameters() -> None:
    assert sum(array.size for array in read_parameters(Classifier(300)).values()) == 93_826


def test_what_is_saved_is_loaded_again(tmp_path: Path) -> None:
    trained = small_detector()
    trained.save(tmp_path / "new" / "folder")

    loaded = TrainedDetector.load(tmp_path / "new" / "folder")

    assert loaded.card == trained.card
    assert loaded.lineage == trained.lineage
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


@pytest.mark.parametrize("name", ["detector.json", "embedding.npz", "parameters.npz"])
@pytest.mark.parametrize("missing", [True, False])
def test_a_missing_or_truncated_file_is_refused(tmp_path: Path, name: str, missing: bool) -> None:
    small_detector().save(tmp_path)
    path = tmp_path / name
    path.unlink() if missing else path.write_bytes(path.read_bytes()[:-9])

    with pytest.raises(ModelFileError):
        TrainedDetector.load(tmp_path)


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
