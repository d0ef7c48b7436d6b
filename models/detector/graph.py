"""The detector as an ONNX graph, built node by node: no exporter stands between the weights and the file.

B calls, T words, M n-grams of a word, K n-grams not heard before, D dimensions, H hidden units. Inputs and outputs are
listed in `INPUTS` and `OUTPUTS`. A growing call is fed piece by piece: the state of LSTM, attention and bag goes in and
out. The calls of a run have equally many words, so that nothing is masked: a phone judges one call at a time, and every
node costs it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto, checker, helper, numpy_helper

from models.detector.classifier import HIDDEN
from models.detector.detector import TrainedDetector
from models.detector.ngram_bag import NgramBag
from models.detector.onnx_contract import (
    IR_VERSION,
    NGRAM_SCHEME,
    OPSET,
    SCHEME_NUMBERS,
    TABLE_SHAPE,
    ZERO_IF_FINITE,
    state_shapes,
)
from models.text.ngrams import NgramScheme

_TINY = float(np.finfo(np.float32).tiny)


@dataclass
class _Graph:
    """Nodes and constants as they are added."""

    nodes: list[NodeProto] = field(default_factory=list)
    constants: list[TensorProto] = field(default_factory=list)

    def constant(self, name: str, value: NDArray[Any] | np.generic) -> str:
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def add(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(kind, inputs, [output], name=output, **attributes))
        return output


def build_graph(trained: TrainedDetector, *, int8: bool) -> ModelProto:
    """Return the whole detector up to the uncalibrated logit, checked by ONNX.

    Args:
        trained: Whose embedding and network.
        int8: Store the LSTM's matrices as INT8 with one scale a gate unit. They are dequantised once a run, so that a
            call's logit doesn't depend on the batch it is in.
    """
    graph = _Graph()
    _add_table_shape(graph)
    _add_scheme(graph, trained.embedding.scheme)
    embedded = _add_embedding(graph, trained)
    hidden = _add_lstm(graph, trained, embedded, int8=int8)
    _add_attention(graph, trained, hidden)
    _add_bag(graph, trained.bag)
    _add_zero_if_finite(graph)
    model = helper.make_model(
        helper.make_graph(graph.nodes, "detector", _inputs(), _outputs(trained), graph.constants),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="hearsay",
    )
    checker.check_model(model, full_check=True)
    return model


def _inputs() -> list[ValueInfoProto]:
    ids = helper.make_tensor_value_info("ids", TensorProto.INT32, ["B", "T", "M"])
    state = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in state_shapes(HIDDEN).items()
    ]
    fresh = helper.make_tensor_value_info("fresh", TensorProto.INT32, ["B", "K"])
    return [ids, fresh, *state]


def _outputs(trained: TrainedDetector) -> list[ValueInfoProto]:
    logit = helper.make_tensor_value_info("logit", TensorProto.FLOAT, ["B"])
    energies = helper.make_tensor_value_info("energies", TensorProto.FLOAT, ["B", "T"])
    state = [
        helper.make_tensor_value_info(f"next_{name}", TensorProto.FLOAT, shape)
        for name, shape in state_shapes(HIDDEN).items()
    ]
    table = helper.make_tensor_value_info(TABLE_SHAPE, TensorProto.INT64, [5])
    scheme = helper.make_tensor_value_info(NGRAM_SCHEME, TensorProto.INT64, [len(SCHEME_NUMBERS)])
    finite = helper.make_tensor_value_info(ZERO_IF_FINITE, TensorProto.FLOAT, [])
    return [logit, energies, *state, table, scheme, finite]


def _add_table_shape(graph: _Graph) -> None:
    """Let a reader without ONNX's own library see which tables the graph holds."""
    shapes = [graph.add("Shape", [name], f"{name}_sides") for name in ("table", "scales", "bag_table")]
    graph.add("Concat", shapes, TABLE_SHAPE, axis=0)


def _add_scheme(graph: _Graph, scheme: NgramScheme) -> None:
    """Let a reader see how words must become ids: other ids would score without any error."""
    numbers = np.array([getattr(scheme, name) for name in SCHEME_NUMBERS], dtype=np.int64)
    graph.add("Identity", [graph.constant("scheme_numbers", numbers)], NGRAM_SCHEME)


def _add_zero_if_finite(graph: _Graph) -> None:
    """Sum all constants times zero: NaN and infinity stay. ONNX Runtime works it out once, when it loads the graph.

    Unquantised matrices are left out, so that dynamic quantisation can take them away; released graphs have none.
    """
    floating = (TensorProto.FLOAT, TensorProto.FLOAT16)
    numbers = [each.name for each in graph.constants if each.data_type in floating and each.name not in ("W", "R")]
    graph.constant("nothing", np.float32(0))
    sums = []
    for name in numbers:
        single = graph.add("Cast", [name], f"{name}_single", to=TensorProto.FLOAT)
        nothing = graph.add("Mul", [single, "nothing"], f"{name}_times_zero")
        sums.append(graph.add("ReduceSum", [nothing], f"{name}_zero", keepdims=0))
    graph.add("Sum", sums, ZERO_IF_FINITE)


def _add_embedding(graph: _Graph, trained: TrainedDetector) -> str:
    """Gather INT8 rows and FP16 scales, and take each word's mean: (T, B, D), as ONNX's LSTM wants it."""
    graph.constant("table", trained.embedding.rows)
    graph.constant("scales", trained.embedding.scales)
    graph.constant("one", np.float32(1))
    graph.constant("axis_1", np.array([1]))
    graph.constant("axis_2", np.array([2]))
    by_time = graph.add("Transpose", ["ids"], "ids_by_time", perm=[1, 0, 2])  # (T, B, M)
    rows = graph.add("Cast", [graph.add("Gather", ["table", by_time], "rows_int8")], "rows", to=TensorProto.FLOAT)
    scales = graph.add(
        "Cast", [graph.add("Gather", ["scales", by_time], "row_scales_fp16")], "row_scales", to=TensorProto.FLOAT
    )
    lying = graph.add("Unsqueeze", [scales, "axis_2"], "row_scales_row")  # (T, B, 1, M)
    sums = graph.add("Squeeze", [graph.add("MatMul", [lying, rows], "word_rows"), "axis_2"], "word_sums")  # (T, B, D)
    spoken = graph.add("Sign", [by_time], "spoken_ngrams")  # ids are positive, but for the padding's
    counts = graph.add("ReduceSum", [spoken, "axis_2"], "ngram_counts_int32", keepdims=1)  # (T, B, 1)
    at_least = graph.add("Cast", [counts], "ngram_counts", to=TensorProto.FLOAT)
    return graph.add("Div", [sums, graph.add("Max", [at_least, "one"], "at_least_one")], "embedded")


def _add_lstm(graph: _Graph, trained: TrainedDetector, embedded: str, *, int8: bool) -> str:
    """Run the LSTM from the state given; return hidden states (B, T, H)."""
    weights = trained.parameters
    inputs = [
        embedded,
        _add_matrix(graph, "W", reorder_gates(weights["lstm.weight_ih_l0"]), int8=int8),
        _add_matrix(graph, "R", reorder_gates(weights["lstm.weight_hh_l0"]), int8=int8),
        graph.constant("biases", _biases(trained)),
        "",
        "h",
        "c",
    ]
    outputs = ["hidden_by_time", "next_h", "next_c"]
    graph.nodes.append(helper.make_node("LSTM", inputs, outputs, name="lstm", hidden_size=HIDDEN))
    flat = graph.add("Squeeze", ["hidden_by_time", "axis_1"], "hidden_flat")  # (T, B, H)
    return graph.add("Transpose", [flat], "hidden", perm=[1, 0, 2])


def _biases(trained: TrainedDetector) -> NDArray[np.float32]:
    both = [reorder_gates(trained.parameters[f"lstm.bias_{part}_l0"]) for part in ("ih", "hh")]
    return np.concatenate(both)[np.newaxis]  # (1, 8H)


def reorder_gates(array: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return an LSTM's array with its gates in ONNX's order (input, output, forget, cell), not torch's (i, f, g, o)."""
    gate_in, forget, cell, gate_out = np.split(array, 4)
    return np.concatenate([gate_in, gate_out, forget, cell])


def _add_matrix(graph: _Graph, name: str, matrix: NDArray[np.float32], *, int8: bool) -> str:
    """Add a matrix (4H, K) as ONNX's LSTM wants it, (1, 4H, K); as INT8 with a scale a row where asked."""
    if not int8:
        return graph.constant(name, matrix[np.newaxis])
    scales = np.maximum(np.abs(matrix).max(axis=1), _TINY) / np.float32(127)
    rows = np.clip(np.rint(matrix / scales[:, np.newaxis]), -127, 127).astype(np.int8)
    graph.constant(f"{name}_int8", rows[np.newaxis])
    graph.constant(f"{name}_scales", scales.astype(np.float32))
    return graph.add("DequantizeLinear", [f"{name}_int8", f"{name}_scales"], name, axis=1)


def _add_attention(graph: _Graph, trained: TrainedDetector, hidden: str) -> None:
    """Pool the words so far as one more word, its energy the logarithm of all their weights; give logit and energies.

    The attention's bias is left out: it adds the same to every energy, which changes no share. The bias of the bag
    of n-grams is added here too.
    """
    weights = trained.parameters
    biases = (weights["head.output.bias"] + trained.bag.bias).astype(np.float32)
    graph.constant("attention_weights", weights["head.attention.weight"].T)
    graph.constant("output_weights", weights["head.output.weight"].T)
    graph.constant("axes_1_2", np.array([1, 2]))
    projected = graph.add("MatMul", [hidden, "attention_weights"], "energies_column")
    energies = graph.add("Squeeze", [projected, "axis_2"], "energies")  # (B, T)
    all_energies = graph.add("Concat", ["attention", energies], "all_energies", axis=1)  # (B, 1 + T)
    graph.add("ReduceLogSumExp", [all_energies], "next_attention", axes=[1], keepdims=1)
    shares = graph.add("Softmax", [all_energies], "shares", axis=-1)
    lying = graph.add("Unsqueeze", [shares, "axis_1"], "shares_row")  # (B, 1, 1 + T)
    all_hidden = graph.add("Concat", ["pooled", hidden], "all_hidden", axis=1)  # (B, 1 + T, H)
    pooled = graph.add("MatMul", [lying, all_hidden], "next_pooled")  # (B, 1, H)
    logit = graph.add("Squeeze", [graph.add("MatMul", [pooled, "output_weights"], "logit_0"), "axes_1_2"], "logit_1")
    graph.add("Add", [logit, graph.constant("biases_of_logits", biases)], "network_logit")


def _add_bag(graph: _Graph, bag: NgramBag) -> None:
    """Add what the n-grams that were not heard before say to the sums so far, and what the bag says to the logit."""
    graph.constant("bag_table", bag.table)
    pairs = graph.add("Gather", ["bag_table", "fresh"], "fresh_pairs_fp16")  # (B, K, 2)
    singles = graph.add("Cast", [pairs], "fresh_pairs", to=TensorProto.FLOAT)
    sums = graph.add("ReduceSum", [singles, "axis_1"], "fresh_sums", keepdims=0)  # (B, 2)
    graph.add("Add", ["bag", sums], "next_bag")
    parts = ["bag_weights", "bag_squares"]  # (B, 1) each
    graph.nodes.append(helper.make_node("Split", ["next_bag"], parts, name="split_bag", axis=1))
    length = graph.add("Sqrt", [graph.add("Max", ["bag_squares", "one"], "squares_at_least_one")], "bag_length")
    said = graph.add("Squeeze", [graph.add("Div", ["bag_weights", length], "bag_said"), "axis_1"], "bag_logit")
    graph.add("Add", ["network_logit", said], "logit")
