"""A small detector with random weights: real parts, made in milliseconds."""

from __future__ import annotations

import numpy as np
import torch

from models.detector.classifier import Classifier
from models.detector.detector import TrainedDetector
from models.detector.embedding import NgramEmbedding, quantise_rows
from models.detector.ngram_bag import NgramBag
from models.detector.parameters import read_parameters
from models.domain.call import Call, Label
from models.domain.release import Calibration, Thresholds
from models.text.ngrams import PADDING, NgramScheme

SCHEME = NgramScheme(buckets=500)


def small_embedding(dimensions: int = 8, seed: int = 0) -> NgramEmbedding:
    vectors = np.random.default_rng(seed).standard_normal((SCHEME.buckets + 1, dimensions))
    return quantise_rows(SCHEME, vectors.astype(np.float32))


def small_bag(seed: int = 0) -> NgramBag:
    rng = np.random.default_rng([seed, 1])
    rarities = rng.uniform(1, 5, SCHEME.buckets + 1)
    table = np.stack([rng.standard_normal(len(rarities)) * rarities, rarities**2], axis=1)
    table[PADDING] = 0
    return NgramBag(table.astype(np.float16), bias=0.3)


def small_detector(dimensions: int = 8, seed: int = 0) -> TrainedDetector:
    torch.manual_seed(seed)
    network = Classifier(dimensions)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(3)
    return TrainedDetector(
        small_embedding(dimensions, seed),
        small_bag(seed),
        read_parameters(network),
        Calibration(early_slope=1.5, late_slope=2.0, offset=-0.1),
        Thresholds(suspicious=0.6, dangerous=0.9),
        {"corpus": "random", "seed": seed},
    )


def authored_calls(count: int = 24) -> list[Call]:
    """Calls whose label one word gives away; no two of them near duplicates."""
    words = np.random.default_rng(7)
    calls = []
    for number in range(count):
        vishing = number % 2 == 0
        told = ["검찰에서", "계좌를"] if vishing else ["점심을", "먹자"]
        filler = ["".join(chr(code) for code in words.integers(0xAC00, 0xD7A4, size=3)) for _ in range(30)]
        text = " ".join([word for pair in zip(filler, told * 15, strict=True) for word in pair])
        calls.append(Call(f"call-{number}", Label(int(vishing)), text=text, source="authored"))
    return calls
