"""The released detector on the device: ONNX Runtime and NumPy, no torch.

B calls, T words, M n-grams of a word, K of them not heard before, R rows of the tables, H hidden units. A call is heard
word by word: what was heard is kept as the state of LSTM, attention and bag and as marks on n-grams' buckets, never as
words. No word is fed twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from models.detector.card import DetectorCard
from models.detector.decision import EVEN_SCORE, calibrate_logits
from models.detector.model_file import check_file, read_metadata
from models.detector.onnx_contract import (
    FORMAT,
    INPUTS,
    NEXT_STATE,
    NGRAM_SCHEME,
    NOTHING_HEARD,
    OPSET,
    OUTPUTS,
    SCHEME_NUMBERS,
    STATE,
    TABLE_SHAPE,
    ZERO_IF_FINITE,
    ModelVariant,
    state_shapes,
)
from models.domain.release import Calibration, Thresholds
from models.errors import ModelFileError
from models.text.ngrams import PADDING, encode_words

_WORDS_AT_ONCE = 256
"""Words of a call in one run: bounds memory however long the call."""

_CALLS_AT_ONCE = 32


@dataclass(frozen=True, slots=True)
class State:
    """What is kept of B growing calls. Sensitive like the calls: the marks tell which n-grams were said.

    Attributes:
        numbers: As in `STATE`.
        heard: (B, R), whether an n-gram of the bucket was heard; always, for padding.
    """

    numbers: tuple[NDArray[np.float32], ...]
    heard: NDArray[np.bool_]

    def without(self, first: int) -> State:
        """Return the state of the calls after the first so many."""
        named = zip(STATE, self.numbers, strict=True)
        numbers = tuple(part[:, first:] if name in ("h", "c") else part[first:] for name, part in named)
        return State(numbers, self.heard[first:])

    def hear(self, ids: NDArray[np.int32]) -> tuple[NDArray[np.bool_], NDArray[np.int32]]:
        """Return the marks after n-grams (B, T, M), and the ids (B, K) of those not heard before, padded.

        K is at least 1: ONNX Runtime before 1.17 sums no empty rows.
        """
        heard = self.heard.copy()
        heard[np.arange(len(ids))[:, np.newaxis], ids.reshape(len(ids), -1)] = True
        fresh = [np.flatnonzero(row) for row in heard != self.heard]
        padded = np.full((len(ids), max(1, *map(len, fresh))), PADDING, dtype=np.int32)
        for row, each in zip(padded, fresh, strict=True):
            row[: len(each)] = each
        return heard, padded


@dataclass(frozen=True)
class OnnxDetector:
    """A released detector, verified and ready.

    Attributes:
        card: Sizes, scheme, calibration and thresholds, as the release's metadata says.
        session: The graph in ONNX Runtime.
    """

    card: DetectorCard
    session: onnxruntime.InferenceSession

    @classmethod
    def load(cls, directory: Path, variant: ModelVariant = ModelVariant.INT8, *, threads: int = 1) -> OnnxDetector:
        """Read an exported detector or a release; nothing of it is used before it is verified.

        Args:
            directory: Holds ``detector.json`` and the variant's file.
            variant: Weight-only INT8 by default: its score doesn't depend on the batch.
            threads: Of ONNX Runtime within one run.

        Raises:
            ModelFileError: A file is missing, damaged or not the one that the metadata describes; or the graph's
                inputs, outputs, opset, sizes, embedding table or n-grams are not those of the metadata, or it holds a
                number that is not finite, or padding that is not zero.
        """
        metadata = read_metadata(directory, FORMAT)
        card = DetectorCard.from_json(metadata)
        if metadata.get("opset") != OPSET:
            raise ModelFileError(f"{directory}: expected opset {OPSET}, got {metadata.get('opset')!r}")
        detector = cls(card, _open_session(check_file(directory, variant, metadata), threads))
        detector._check_graph()
        return detector

    @property
    def thresholds(self) -> Thresholds:
        """Scores from which a call is 의심 and 위험."""
        return self.card.thresholds

    @property
    def calibration(self) -> Calibration:
        """From logit to score."""
        return self.card.calibration

    @cached_property
    def silence(self) -> State:
        """The state of one call in which nothing was said yet; shared by all listeners, and never written to."""
        return self.first_state(1)

    def begin(self) -> Listener:
        """Return a listener for one call."""
        return Listener(self)

    def score(self, words: Sequence[str]) -> float:
        """Return the calibrated score (0 to 1) of one whole call."""
        listener = self.begin()
        listener.hear(words)
        return listener.score

    def score_batch(self, calls: Sequence[Sequence[str]]) -> NDArray[np.float64]:
        """Return calibrated scores (B,) of whole calls given as words; `EVEN_SCORE` for a call without words."""
        spoken = np.array([bool(words) for words in calls], dtype=bool)
        scores = calibrate_logits(self.logit_batch(calls), [*map(len, calls)], self.calibration)
        return np.where(spoken, scores, EVEN_SCORE)

    def logit_batch(self, calls: Sequence[Sequence[str]]) -> NDArray[np.float64]:
        """Return logits (B,) of whole calls given as words; 0 for a call without words."""
        logits = np.zeros(len(calls))
        order = sorted((place for place, words in enumerate(calls) if words), key=lambda place: len(calls[place]))
        for at in range(0, len(order), _CALLS_AT_ONCE):
            places = order[at : at + _CALLS_AT_ONCE]
            logits[places] = self._judge([calls[place] for place in places])
        return logits

    def _judge(self, calls: Sequence[Sequence[str]]) -> NDArray[np.float64]:
        """Return logits (B,) of calls in order of length, piece by piece; a call that has ended leaves the batch."""
        logits = np.zeros(len(calls))
        state, heard, ended = self.first_state(len(calls)), 0, 0
        while ended < len(calls):
            until = min(heard + _WORDS_AT_ONCE, len(calls[ended]))
            logits[ended:], _, state = self.run([words[heard:until] for words in calls[ended:]], state)
            leaving = sum(len(words) == until for words in calls[ended:])
            state = state.without(leaving)
            heard, ended = until, ended + leaving
        return logits

    def first_state(self, calls: int) -> State:
        """Return the state of calls in which nothing was said yet."""
        shapes = state_shapes(self.card.hidden)
        sizes = [[calls if side == "B" else int(side) for side in shapes[name]] for name in STATE]
        starts = [NOTHING_HEARD if name == "attention" else 0.0 for name in STATE]
        numbers = tuple(np.full(size, start, dtype=np.float32) for size, start in zip(sizes, starts, strict=True))
        heard = np.zeros((calls, self.card.scheme.buckets + 1), dtype=bool)
        heard[:, PADDING] = True
        return State(numbers, heard)

    def run(
        self, pieces: Sequence[Sequence[str]], state: State
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], State]:
        """Feed the next words of B calls, equally many of each and at least one.

        Returns:
            Logits (B,) of all that was heard so far, energies (B, T) of these words' attention, and the next state.
        """
        flat = encode_words([*chain.from_iterable(pieces)], self.card.scheme)
        ids = flat.reshape(len(pieces), -1, flat.shape[1])  # (B, T, M)
        heard, fresh = state.hear(ids)
        logit, energies, *numbers = self.session.run(["logit", "energies", *NEXT_STATE], feed(ids, fresh, state))
        return logit, energies, State(tuple(numbers), heard)

    def _check_graph(self) -> None:
        names = tuple(each.name for each in self.session.get_inputs())
        results = tuple(each.name for each in self.session.get_outputs())
        if names != INPUTS or results != OUTPUTS:
            raise ModelFileError("the graph's inputs or outputs are not those of a detector")
        expected = state_shapes(self.card.hidden)
        if any(each.shape != expected[each.name] for each in self.session.get_inputs() if each.name in expected):
            raise ModelFileError(f"the graph's state is not that of {self.card.hidden} hidden units")
        rows = self.card.scheme.buckets + 1
        shape, scheme, zero, *after_one = self._look_inside(paddings=1)
        if shape.tolist() != [rows, self.card.dimensions, rows, rows, 2]:
            raise ModelFileError(f"expected tables of {rows} rows, the embedding's of {self.card.dimensions} numbers")
        if scheme.tolist() != [getattr(self.card.scheme, name) for name in SCHEME_NUMBERS]:
            raise ModelFileError("the metadata makes other n-grams of words than the graph's table was trained on")
        if not np.isfinite(zero):
            raise ModelFileError("the graph holds a number that is not finite")
        _, _, _, *after_two = self._look_inside(paddings=2)
        if not all(map(np.array_equal, after_one, after_two)):
            raise ModelFileError("the padding's row of a table is not zero")

    def _look_inside(self, paddings: int) -> list[NDArray[Any]]:
        """Return what the graph says of itself: the table's shape, the scheme, and zero if all numbers are finite.

        Then the state after a word that is nothing but so many paddings.
        """
        ids = np.full((1, 1, paddings), PADDING, np.int32)
        try:
            outputs = [TABLE_SHAPE, NGRAM_SCHEME, ZERO_IF_FINITE, *NEXT_STATE]
            return list(self.session.run(outputs, feed(ids, ids[0], self.silence)))
        except Exception as error:  # ONNX Runtime's errors share no base class
            raise ModelFileError("the graph can't be run as its metadata says") from error


def feed(ids: NDArray[np.int32], fresh: NDArray[np.int32], state: State) -> dict[str, NDArray[Any]]:
    """Return the graph's inputs: n-grams (B, T, M), those of them not heard before (B, K), and the state so far."""
    return {"ids": ids, "fresh": fresh, **dict(zip(STATE, state.numbers, strict=True))}


class Listener:
    """One call as it grows. Keeps no word: only its `State`, and one number a word for the attention."""

    def __init__(self, detector: OnnxDetector) -> None:
        self._detector = detector
        self._state = detector.silence
        self._energies: list[NDArray[np.float32]] = []
        self._logit: float | None = None

    def hear(self, words: Sequence[str]) -> None:
        """Take in the words spoken since the last time; none is fine."""
        for piece in _pieces(words):
            logit, energies, self._state = self._detector.run([piece], self._state)
            self._logit = float(logit[0])
            self._energies.append(energies[0])

    @property
    def score(self) -> float:
        """The calibrated score (0 to 1) of all that was heard; `EVEN_SCORE` before the first word."""
        if self._logit is None:
            return EVEN_SCORE
        words = sum(map(len, self._energies))
        return float(calibrate_logits(self._logit, words, self._detector.calibration))

    @property
    def attention(self) -> NDArray[np.float64]:
        """The share of attention on each word heard so far; sums to 1, empty before the first word."""
        if not self._energies:
            return np.zeros(0)
        energies = np.concatenate(self._energies).astype(np.float64)
        weights = np.exp(energies - energies.max())
        return np.asarray(weights / weights.sum())


def _pieces(words: Sequence[str]) -> Iterator[Sequence[str]]:
    return (words[at : at + _WORDS_AT_ONCE] for at in range(0, len(words), _WORDS_AT_ONCE))


def _open_session(path: Path, threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    # Dequantise the matrices once, when the graph is loaded, and not in every run; the scores are the same.
    options.add_session_config_entry("session.disable_quant_qdq", "1")
    only = ["CPUExecutionProvider"]
    try:
        # Without a second try, of which it would print to standard output.
        return onnxruntime.InferenceSession(path.read_bytes(), options, providers=only, enable_fallback=0)
    except Exception as error:  # ONNX Runtime's errors share no base class
        raise ModelFileError(f"{path}: ONNX Runtime can't read it") from error
