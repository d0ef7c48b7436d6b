from __future__ import annotations

import numpy as np
import torch

from models.detector.tunable_embedding import TunableEmbedding
from tests.models.detector.small import small_embedding

WORDS = ["검찰", "네", "계좌를", "안녕하십니까"]


def test_words_have_the_frozen_embeddings_vectors() -> None:
    embedding = small_embedding()
    tunable = TunableEmbedding(embedding, WORDS)

    found = tunable(torch.tensor([3, 1, 0, 4]), 0.0, torch.Generator().manual_seed(0)).detach().numpy()

    expected = embedding.embed_words(["계좌를", "검찰", "안녕하십니까"])
    np.testing.assert_allclose(found[[0, 1, 3]], expected, atol=1e-6)
    assert not found[2].any()


def test_dropped_ngrams_change_a_word_but_not_its_place() -> None:
    tunable = TunableEmbedding(small_embedding(), WORDS)
    words = torch.tensor([1, 2, 3, 4] * 50)

    found = tunable(words, 0.5, torch.Generator().manual_seed(0)).detach()

    whole = tunable(words, 0.0, torch.Generator()).detach()
    assert (found != whole).any(dim=1).float().mean() > 0.8
    assert torch.nn.functional.cosine_similarity(found, whole).mean() > 0.5


def test_only_ngrams_that_were_heard_are_tuned() -> None:
    embedding = small_embedding()
    tunable = TunableEmbedding(embedding, WORDS)
    tunable(torch.tensor([1]), 0.0, torch.Generator()).sum().backward()

    touched = set(np.flatnonzero(tunable.table.grad.abs().sum(dim=1).numpy()).tolist())  # type: ignore[union-attr]

    other = TunableEmbedding(embedding, ["검찰"])
    assert touched == set(other._ids.tolist())


def test_freezing_gives_the_table_back() -> None:
    embedding = small_embedding()

    frozen = TunableEmbedding(embedding, WORDS).freeze()

    np.testing.assert_allclose(frozen.table, embedding.table, atol=0.03)
