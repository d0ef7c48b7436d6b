"""Releases whose files agree with their own hashes and still can't be used: refused before any score is given."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import ModelProto, numpy_helper

from models.detector.export import export_detector
from models.detector.model_file import read_metadata, write_metadata
from models.detector.onnx_contract import EXPORTED, FORMAT, ModelVariant
from models.detector.runtime import OnnxDetector
from models.errors import ModelFileError
from tests.models.detector.small import small_detector

TABLES = ("table", "scales", "bag_table")

Damage = Callable[[ModelProto, dict[str, Any]], None]


@pytest.fixture
def release(tmp_path: Path) -> Path:
    export_detector(small_detector(), tmp_path)
    return tmp_path


def spoil(release: Path, damage: Damage) -> None:
    """Damage the graph or the metadata, and write hashes that fit: what a careless publisher would sign."""
    path = release / ModelVariant.INT8
    model, metadata = onnx.load(path), read_metadata(release, FORMAT)
    damage(model, metadata)
    path.write_bytes(model.SerializeToString())
    write_metadata(release, metadata, [name for name in metadata["files"] if (release / name).exists()])


def constant(model: ModelProto, name: str, change: Callable[[np.ndarray], np.ndarray]) -> None:
    tensor = next(each for each in model.graph.initializer if each.name == name)
    tensor.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(change(numpy_helper.to_array(tensor).copy())), name))


def with_one(place: int, value: float) -> Callable[[np.ndarray], np.ndarray]:
    def change(array: np.ndarray) -> np.ndarray:
        array.reshape(-1)[place] = value
        return array

    return change


def rename_input(model: ModelProto, metadata: dict[str, Any]) -> None:
    model.graph.input[0].name = "words"
    for node in model.graph.node:
        node.input[:] = ["words" if each == "ids" else each for each in node.input]


DAMAGES: dict[str, Damage] = {
    "an unknown opset": lambda model, _: setattr(model.opset_import[0], "version", 99),
    "an unknown opset in the metadata": lambda _, metadata: metadata.update(opset=99),
    "an operator that nobody knows": lambda model, _: setattr(model.graph.node[3], "op_type", "Guess"),
    "other inputs": rename_input,
    "a longer table": lambda model, _: (
        [constant(model, name, lambda rows: np.concatenate([rows, rows[:1]])) for name in TABLES] and None
    ),
    "a narrower table": lambda model, _: constant(model, "table", lambda rows: rows[:, :-1]),
    "a shorter bag of n-grams": lambda model, _: constant(model, "bag_table", lambda rows: rows[:-1]),
    "fewer scales than rows": lambda model, _: constant(model, "scales", lambda scales: scales[:-100]),
    "another number of buckets": lambda _, metadata: metadata["scheme"].update(buckets=499),
    "shorter n-grams": lambda _, metadata: metadata["scheme"].update(shortest=1),
    "longer n-grams": lambda _, metadata: metadata["scheme"].update(longest=5),
    "shorter n-grams at most": lambda _, metadata: metadata["scheme"].update(longest=3),
    "another bound on a word's n-grams": lambda _, metadata: metadata["scheme"].update(most_per_word=31),
    "a graph for longer n-grams": lambda model, _: constant(model, "scheme_numbers", with_one(2, 5)),
    "other dimensions": lambda _, metadata: metadata.update(dimensions=16),
    "other hidden units": lambda _, metadata: metadata.update(hidden=128),
    "a threshold below the even point": lambda _, metadata: metadata["thresholds"].update(suspicious=0.4),
    "a threshold above 1": lambda _, metadata: metadata["thresholds"].update(dangerous=1.5),
    "thresholds the wrong way round": lambda _, metadata: metadata["thresholds"].update(suspicious=0.95, dangerous=0.9),
    "a falling calibration": lambda _, metadata: metadata["calibration"].update(early_slope=-1.0),
    "a calibration that falls late": lambda _, metadata: metadata["calibration"].update(late_slope=-1.0),
    "a calibration without a late slope": lambda _, metadata: metadata["calibration"].pop("late_slope"),
    "no scheme": lambda _, metadata: metadata.pop("scheme"),
    "the last row's scale is NaN": lambda model, _: constant(model, "scales", with_one(-1, np.nan)),
    "some row's scale is infinite": lambda model, _: constant(model, "scales", with_one(123, np.inf)),
    "an LSTM scale is NaN": lambda model, _: constant(model, "R_scales", with_one(7, np.nan)),
    "a bias is NaN": lambda model, _: constant(model, "biases", with_one(5, np.nan)),
    "the output's bias is NaN": lambda model, _: constant(model, "biases_of_logits", with_one(0, np.nan)),
    "a weight of the bag is infinite": lambda model, _: constant(model, "bag_table", with_one(40, np.inf)),
    "the embedding's padding is not zero": lambda model, _: constant(model, "table", with_one(3, 1)),
    "the bag's padding has a weight": lambda model, _: constant(model, "bag_table", with_one(0, 1e-3)),
    "the bag's padding has a square": lambda model, _: constant(model, "bag_table", with_one(1, 1e-3)),
    "an attention weight is NaN": lambda model, _: constant(model, "attention_weights", with_one(9, np.nan)),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_release_that_cant_be_right_is_refused(release: Path, damage: Damage) -> None:
    spoil(release, damage)
    with pytest.raises(ModelFileError):
        OnnxDetector.load(release)


def test_the_same_way_of_writing_without_damage_loads(release: Path) -> None:
    spoil(release, lambda model, metadata: None)
    assert 0 < OnnxDetector.load(release).score(["검찰", "계좌"]) < 1


@pytest.mark.parametrize("size", [0, 1, 100, 5000])
def test_a_file_cut_short_under_a_fitting_hash_is_refused(release: Path, size: int) -> None:
    for variant in (ModelVariant.INT8, ModelVariant.INT8_ORT):
        path = release / variant
        path.write_bytes(path.read_bytes()[:size])
        write_metadata(release, read_metadata(release, FORMAT), EXPORTED)
        with pytest.raises(ModelFileError):
            OnnxDetector.load(release, variant)
