"""Settings under which every peer is real and fitted in moments."""

from __future__ import annotations

from dataclasses import replace

from models.comparison.characters import CharacterNgrams
from models.comparison.networks import Networks
from models.comparison.peer import Peer
from models.comparison.trees import CATBOOST, LIGHTGBM, PooledTrees
from models.detector.training import TrainingSettings
from tests.models.detector.small import SCHEME

SETTINGS = TrainingSettings(dimensions=8, scheme=SCHEME, epochs=2, steps=6)

PEERS: dict[str, Peer] = {
    "networks": Networks(SETTINGS),
    "networks without attention": Networks(replace(SETTINGS, attention=False)),
    "networks alone": Networks(replace(SETTINGS, bag=False)),
    "trees": PooledTrees((LIGHTGBM, CATBOOST), SETTINGS, trees=5),
    "characters": CharacterNgrams(),
}
