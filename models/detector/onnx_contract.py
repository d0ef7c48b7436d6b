"""What the exporter writes and every reader relies on: names, shapes and versions of the released graph."""

from __future__ import annotations

from enum import StrEnum

FORMAT = "hearsay-detector/5"
"""Format of an exported directory."""

OPSET = 17
IR_VERSION = 8
"""Read by ONNX Runtime from 1.12 on (the ``.ort`` file from 1.16), so that old phones' runtimes can."""

STATE = ("h", "c", "attention", "pooled", "bag")
"""State of a growing call, in and (as ``next_...``) out: the LSTM's, the logarithm of the sum of all words' weights
(exponentials of their energies), their hidden states pooled by these, and the bag of n-grams' two sums. It begins with
zeros; ``attention`` with `NOTHING_HEARD`."""

NOTHING_HEARD = -1e9

TABLE_SHAPE = "table_shape"
"""Output with the embedding table's rows (buckets + 1) and dimensions, the number of its scales, and the sides of the
bag's table (buckets + 1, and 2)."""

NGRAM_SCHEME = "ngram_scheme"
"""Output with the scheme that the table was trained under: `SCHEME_NUMBERS`. No shape shows the sizes of n-grams."""

SCHEME_NUMBERS = ("buckets", "shortest", "longest", "most_per_word")

ZERO_IF_FINITE = "zero_if_finite"
"""Output that is 0 where all numbers of the graph are finite, else NaN. Scores don't show it: ONNX Runtime's LSTM
clamps a NaN."""

INPUTS = ("ids", "fresh", *STATE)
"""N-grams of the next words, those of them that the call never held before, at least one of each (padding where there
is none), and the state so far."""

NEXT_STATE = tuple(f"next_{name}" for name in STATE)
OUTPUTS = ("logit", "energies", *NEXT_STATE, TABLE_SHAPE, NGRAM_SCHEME, ZERO_IF_FINITE)


class ModelVariant(StrEnum):
    """The files of an export, by what is in them."""

    FP32 = "detector.onnx"
    INT8 = "detector.int8.onnx"
    INT8_ORT = "detector.int8.ort"
    DYNAMIC = "detector.dynamic.onnx"


EXPORTED = (ModelVariant.FP32, ModelVariant.INT8, ModelVariant.INT8_ORT)
"""What every export holds. The dynamically quantised graph is made where asked: its score depends on the batch."""


def state_shapes(hidden: int) -> dict[str, list[str | int]]:
    """Return the shapes of the state of B calls."""
    return {
        "h": [1, "B", hidden],
        "c": [1, "B", hidden],
        "attention": ["B", 1],
        "pooled": ["B", 1, hidden],
        "bag": ["B", 2],
    }
