"""What a detector's files say of themselves; the same in a trained directory and in an exported one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from models.domain.release import Calibration, Thresholds
from models.errors import BadInputError, ModelFileError
from models.text.ngrams import NgramScheme
from models.text.vocabulary import Vocabulary


@dataclass(frozen=True, slots=True)
class DetectorCard:
    """Sizes and settings that all parts of a detector must agree on.

    Attributes:
        dimensions: Of a word's vector.
        hidden: Units of the LSTM.
        parameters: Trained numbers of the network, the embedding not counted.
        scheme: How words become n-gram ids.
        calibration: From logit to score.
        thresholds: From score to verdict.
        vocabulary: Which words it was trained on, where that is known.
    """

    dimensions: int
    hidden: int
    parameters: int
    scheme: NgramScheme
    calibration: Calibration
    thresholds: Thresholds
    vocabulary: Vocabulary | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the card as plain JSON values."""
        values = asdict(replace(self, vocabulary=None))
        return values | {"vocabulary": None if self.vocabulary is None else self.vocabulary.to_text()}

    @classmethod
    def from_json(cls, metadata: Mapping[str, Any]) -> DetectorCard:
        """Read a card out of ``detector.json``; keys that it doesn't know are left to others.

        Raises:
            ModelFileError: A value is missing, of another type, not finite or out of its range.
        """
        try:
            card = cls(
                dimensions=int(metadata["dimensions"]),
                hidden=int(metadata["hidden"]),
                parameters=int(metadata["parameters"]),
                scheme=NgramScheme(**{name: int(value) for name, value in metadata["scheme"].items()}),
                calibration=_calibration(metadata["calibration"]),
                thresholds=Thresholds(**_finite(metadata["thresholds"])),
                vocabulary=None if (known := metadata.get("vocabulary")) is None else Vocabulary.from_text(known),
            )
        except (KeyError, TypeError, ValueError, AttributeError, BadInputError) as error:
            raise ModelFileError("the detector's metadata lacks a value or holds one of another type") from error
        card._check_ranges()
        return card

    def _check_ranges(self) -> None:
        scheme, thresholds = self.scheme, self.thresholds
        sizes = (self.dimensions, self.hidden, self.parameters, scheme.buckets, scheme.shortest, scheme.most_per_word)
        if min(sizes) < 1 or not scheme.shortest <= min(scheme.longest, 3):
            raise ModelFileError("the detector's metadata holds a size that no detector has")
        slope = min(self.calibration.early_slope, self.calibration.late_slope)
        if not 0.5 < thresholds.suspicious <= thresholds.dangerous <= 1.0 or slope <= 0:
            raise ModelFileError("the detector's metadata holds alarm thresholds or a calibration that can't be")


def _calibration(values: Mapping[str, Any]) -> Calibration:
    numbers = _finite(values)
    return Calibration(**{field.name: numbers[field.name] for field in fields(Calibration)})


def _finite(values: Mapping[str, Any]) -> dict[str, float]:
    numbers = {name: float(value) for name, value in values.items()}
    if not all(math.isfinite(number) for number in numbers.values()):
        raise ValueError
    return numbers
