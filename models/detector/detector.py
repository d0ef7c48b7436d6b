"""A trained detector: embedding, network, calibration and alarm thresholds, and where it comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from models.detector.card import DetectorCard
from models.detector.classifier import HIDDEN, Classifier
from models.detector.embedding import NgramEmbedding
from models.detector.model_file import (
    check_file,
    read_arrays,
    read_metadata,
    write_arrays,
    write_metadata,
    writing_directory,
)
from models.detector.ngram_bag import NgramBag
from models.detector.parameters import Parameters, write_parameters
from models.domain.release import Calibration, Thresholds
from models.errors import ModelFileError
from models.text.vocabulary import Vocabulary

FORMAT = "hearsay-trained-detector/3"

_EMBEDDING, _BAG, _PARAMETERS = "embedding.npz", "bag.npz", "parameters.npz"


@dataclass(frozen=True)
class TrainedDetector:
    """Everything that a score depends on.

    Attributes:
        embedding: The frozen word embedding.
        bag: The frozen bag of n-grams: its logit and the network's are added. Of the embedding's n-grams.
        parameters: The network's trained arrays, named and ordered as in `Classifier`.
        calibration: From logit to score.
        thresholds: From score to verdict.
        lineage: What it was trained on and how: plain JSON values, nothing of any call.
        vocabulary: Which words it was trained on.
    """

    embedding: NgramEmbedding
    bag: NgramBag
    parameters: Parameters
    calibration: Calibration = field(default_factory=Calibration)
    thresholds: Thresholds = field(default_factory=lambda: Thresholds(suspicious=0.501, dangerous=0.9))
    lineage: Mapping[str, Any] = field(default_factory=dict)
    vocabulary: Vocabulary | None = None

    @property
    def card(self) -> DetectorCard:
        """Sizes and settings; 93,826 parameters at 300 dimensions."""
        count = sum(array.size for array in self.parameters.values())
        return DetectorCard(
            self.embedding.dimensions,
            HIDDEN,
            count,
            self.embedding.scheme,
            self.calibration,
            self.thresholds,
            self.vocabulary,
        )

    @property
    def tables_size(self) -> int:
        """Bytes of the frozen tables: the embedding's and the bag's."""
        return self.embedding.rows.nbytes + self.embedding.scales.nbytes + self.bag.table.nbytes

    def build_network(self) -> Classifier:
        """Return the network with the trained parameters, ready to judge.

        Raises:
            ModelFileError: Parameters or bag are not those of a network over this embedding, or not finite.
        """
        if len(self.bag.table) != self.embedding.scheme.buckets + 1:
            raise ModelFileError("the bag of n-grams is of another size than the embedding")
        network = Classifier(self.embedding.dimensions)
        write_parameters(network, self.parameters)
        if not all(np.isfinite(array).all() for array in self.parameters.values()):
            raise ModelFileError("a trained parameter is not finite")
        return network.eval()

    def with_parameters(self, parameters: Parameters) -> TrainedDetector:
        """Return this detector with other trained parameters, as after a federated round."""
        return replace(self, parameters=parameters)

    def with_calibration(self, calibration: Calibration, thresholds: Thresholds) -> TrainedDetector:
        """Return this detector calibrated anew."""
        return replace(self, calibration=calibration, thresholds=thresholds)

    def save(self, directory: Path) -> None:
        """Write ``detector.json``, ``embedding.npz``, ``bag.npz`` and ``parameters.npz``.

        Raises:
            ModelFileError: The directory can't be made, is read-only or full.
        """
        metadata = {"format": FORMAT, **self.card.to_json(), "lineage": dict(self.lineage)}
        with writing_directory(directory) as folder:
            self.embedding.save(folder / _EMBEDDING)
            self.bag.save(folder / _BAG)
            write_arrays(folder / _PARAMETERS, self.parameters)
            write_metadata(folder, metadata, (_EMBEDDING, _BAG, _PARAMETERS))

    @classmethod
    def load(cls, directory: Path) -> TrainedDetector:
        """Read what `save` wrote.

        Raises:
            ModelFileError: A file is missing, damaged, or not the one that ``detector.json`` describes.
        """
        metadata = read_metadata(directory, FORMAT)
        card = DetectorCard.from_json(metadata)
        embedding = NgramEmbedding.load(check_file(directory, _EMBEDDING, metadata))
        bag = NgramBag.load(check_file(directory, _BAG, metadata))
        parameters = read_arrays(check_file(directory, _PARAMETERS, metadata))
        lineage = metadata.get("lineage", {})
        trained = cls(embedding, bag, parameters, card.calibration, card.thresholds, lineage, card.vocabulary)
        if trained.card != card:
            raise ModelFileError(f"{directory}: the metadata and the files are of different detectors")
        trained.build_network()
        return trained
