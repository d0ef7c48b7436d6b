"""Boosted trees on attention-pooled vectors, as in the detector paper.

A call is the weighted mean of its words' vectors; a linear attention, learned with a linear output, gives the weights.
The trees then learn from that mean. N calls, T words, D dimensions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from catboost import CatBoostClassifier
from lightgbm import LGBMClassifier
from numpy.typing import NDArray
from scipy import sparse
from torch import Tensor, nn

from models.comparison.peer import Cost, Fitted, Uncalibrated, fit_calibrated
from models.detector.classifier import AttentionPooling
from models.detector.cut_calls import Examples, Words
from models.detector.embedded_calls import IndexedCalls, index_words
from models.detector.embedding import NgramEmbedding
from models.detector.embedding_training import train_embedding
from models.detector.training import TrainingSettings
from models.domain.call import Call

LIGHTGBM, CATBOOST = "lightgbm", "catboost"

_TREES, _LEAVES, _DEPTH, _LEARNING_RATE = 300, 31, 6, 0.05
_EPOCHS, _BATCH_CALLS, _POOLING_RATE = 6, 64, 1e-2
_FORMULA = "4 T D for the pooling, and a comparison for each level of each tree"


@dataclass(frozen=True, slots=True)
class PooledTrees:
    """LightGBM or CatBoost, or both over one pooling.

    Attributes:
        rows: Which of them.
        settings: The detector's: its embedding's scheme and dimensions are used, trained on the same calls, not tuned.
        trees: How many each grows.
    """

    rows: tuple[str, ...]
    settings: TrainingSettings
    trees: int = _TREES

    def fit(self, calls: Sequence[Call], seed: int, folder: Path) -> Mapping[str, Fitted]:
        """Return the fitted models."""
        return fit_calibrated(self._fit, calls, seed)

    def _fit(self, examples: Examples, seed: int) -> dict[str, Uncalibrated]:
        embedding = train_embedding(examples.words, self.settings.scheme, self.settings.dimensions, seed)
        pooling = _Pooling(embedding, _learn_attention(examples, embedding, seed))
        vectors = pooling.pool(examples.words)  # (N, D)
        fits = {LIGHTGBM: _fit_lightgbm, CATBOOST: _fit_catboost}
        return {row: fits[row](pooling, vectors, examples, self.trees, seed) for row in self.rows}


@dataclass(frozen=True, slots=True)
class _Pooling:
    embedding: NgramEmbedding
    attention: NDArray[np.float32]

    def pool(self, calls: Sequence[Words]) -> NDArray[np.float32]:
        """Return the calls as vectors (N, D)."""
        indexed = index_words(calls, [0] * len(calls), self.embedding)
        energies = (indexed.vectors @ self.attention)[indexed.indices]  # (N, T)
        spoken = np.arange(energies.shape[1]) < indexed.lengths[:, np.newaxis]
        energies[~spoken] = -np.inf
        weights = np.exp(energies - energies.max(axis=1, keepdims=True))
        weights /= weights.sum(axis=1, keepdims=True)
        rows = np.repeat(np.arange(len(calls)), indexed.lengths)
        shape = (len(calls), len(indexed.vectors))
        by_word = sparse.csr_array((weights[spoken], (rows, indexed.indices[spoken])), shape=shape)
        return np.asarray(by_word @ indexed.vectors, dtype=np.float32)

    def flops(self, words: Words, comparisons: int) -> int:
        return 4 * len(words) * self.embedding.dimensions + comparisons

    def cost(self, parameters: int, size: int, comparisons: int) -> Cost:
        table = self.embedding.rows.nbytes + self.embedding.scales.nbytes
        return Cost(
            parameters=parameters + self.attention.size,
            size=table + self.attention.nbytes + size,
            embedding_size=table,
            flops=partial(self.flops, comparisons=comparisons),
            formula=_FORMULA,
        )


def _learn_attention(examples: Examples, embedding: NgramEmbedding, seed: int) -> NDArray[np.float32]:
    """Return the attention's weights (D,) that serve a linear output best."""
    calls = index_words(examples.words, examples.labels.tolist(), embedding)
    vectors, weights = torch.from_numpy(calls.vectors), torch.from_numpy(examples.weights).float()
    head, random = AttentionPooling(embedding.dimensions), torch.Generator().manual_seed(seed)
    for parameter in head.parameters():
        nn.init.zeros_(parameter)
    optimizer = torch.optim.Adam(head.parameters(), lr=_POOLING_RATE)
    for rows in (rows for _ in range(_EPOCHS) for rows in _batches(calls, random)):
        _step(head, optimizer, vectors, calls, rows, weights)
    return head.attention.weight[0].detach().numpy().copy()


def _batches(calls: IndexedCalls, random: torch.Generator) -> list[NDArray[np.int64]]:
    """Return all rows in batches of similar length, in random order."""
    order = np.argsort(calls.lengths, kind="stable")
    batches = [order[at : at + _BATCH_CALLS] for at in range(0, len(order), _BATCH_CALLS)]
    return [batches[place] for place in torch.randperm(len(batches), generator=random).tolist()]


def _step(
    head: AttentionPooling,
    optimizer: torch.optim.Optimizer,
    vectors: Tensor,
    calls: IndexedCalls,
    rows: NDArray[np.int64],
    weights: Tensor,
) -> None:
    lengths = torch.from_numpy(calls.lengths[rows])
    embedded = vectors[torch.from_numpy(calls.indices[rows, : int(lengths.max())]).long()]  # (N, T, D)
    logits, _ = head(embedded, lengths)
    labels = torch.from_numpy(calls.labels[rows])
    loss = nn.functional.binary_cross_entropy_with_logits(logits, labels, weight=weights[torch.from_numpy(rows)])
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()


def _fit_lightgbm(
    pooling: _Pooling, vectors: NDArray[np.float32], examples: Examples, trees: int, seed: int
) -> Uncalibrated:
    model = LGBMClassifier(
        n_estimators=trees,
        num_leaves=_LEAVES,
        learning_rate=_LEARNING_RATE,
        random_state=seed,
        n_jobs=1,
        deterministic=True,
        force_row_wise=True,
        verbose=-1,
    )
    booster = model.fit(vectors, examples.labels, sample_weight=examples.weights).booster_

    def judge(calls: Sequence[Words]) -> NDArray[np.float64]:
        return np.asarray(booster.predict(pooling.pool(calls), raw_score=True, num_threads=1), dtype=np.float64)

    def cost() -> Cost:
        frame = booster.trees_to_dataframe()
        leaves = int(frame["split_feature"].isna().sum())
        depth = int(frame.groupby("tree_index")["node_depth"].max().sum())
        return pooling.cost(leaves, len(booster.model_to_string().encode()), depth)

    return Uncalibrated(judge, cost)


def _fit_catboost(
    pooling: _Pooling, vectors: NDArray[np.float32], examples: Examples, trees: int, seed: int
) -> Uncalibrated:
    model = CatBoostClassifier(
        iterations=trees,
        depth=_DEPTH,
        learning_rate=_LEARNING_RATE,
        random_seed=seed,
        thread_count=1,
        allow_writing_files=False,
        verbose=False,
    )
    model.fit(vectors, examples.labels, sample_weight=examples.weights)

    def judge(calls: Sequence[Words]) -> NDArray[np.float64]:
        raw: Any = model.predict(pooling.pool(calls), prediction_type="RawFormulaVal", thread_count=1)
        return np.asarray(raw, dtype=np.float64)

    def cost() -> Cost:
        leaves, size = int(model.get_tree_leaf_counts().sum()), len(model._serialize_model())
        return pooling.cost(leaves, size, trees * _DEPTH)

    return Uncalibrated(judge, cost)
