"""The rows of the comparison: what they are called, and who is fitted for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from models.comparison import characters, encoder, networks, trees
from models.comparison.characters import CharacterNgrams
from models.comparison.encoder import Encoder
from models.comparison.networks import Networks
from models.comparison.peer import Peer
from models.comparison.trees import PooledTrees
from models.detector.training import TrainingSettings
from models.errors import UsageError
from models.page.text import Text


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the table.

    Attributes:
        title: For people.
        model: Rows of one model are not tested against each other: they are one network, in two number formats.
    """

    title: Text
    model: str


ROWS = {
    networks.ATTENTION: Row(Text("LSTM-Attention, n-grams, FP32", "LSTM-Attention·n-gram FP32"), networks.ATTENTION),
    networks.ATTENTION_INT8: Row(
        Text("LSTM-Attention, n-grams, INT8", "LSTM-Attention·n-gram INT8"), networks.ATTENTION
    ),
    networks.ALONE: Row(Text("LSTM-Attention alone", "LSTM-Attention 단독"), networks.ALONE),
    networks.MEAN_POOLING: Row(Text("Mean pooling and n-grams", "평균 풀링·n-gram"), networks.MEAN_POOLING),
    trees.LIGHTGBM: Row(Text("LightGBM, attention pooling", "LightGBM 어텐션 풀링"), trees.LIGHTGBM),
    trees.CATBOOST: Row(Text("CatBoost, attention pooling", "CatBoost 어텐션 풀링"), trees.CATBOOST),
    characters.ROW: Row(Text("TF-IDF, logistic regression", "TF-IDF 로지스틱 회귀"), characters.ROW),
    encoder.ROW: Row(Text("Encoder (KoBERT or another)", "인코더(KoBERT 등)"), encoder.ROW),
}
"""In the order in which they are shown."""


@dataclass(frozen=True, slots=True)
class Lineup:
    """Who is fitted, for which rows of the table, and why a row is missing."""

    peers: tuple[Peer, ...]
    rows: tuple[str, ...]
    skipped: dict[str, str] = field(default_factory=dict)


def choose_peers(
    only: Sequence[str] = (), weights: Path | None = None, settings: TrainingSettings | None = None
) -> Lineup:
    """Return who takes part.

    Args:
        only: Names of rows; empty stands for all.
        weights: The encoder's folder.
        settings: The detector's recipe.

    Raises:
        UsageError: There is no row of a name.
        BadInputError: The folder holds no encoder that can be loaded.
    """
    if unknown := [name for name in only if name not in ROWS]:
        raise UsageError(f"there is no row {unknown[0]!r}: expected some of {', '.join(ROWS)}")
    wanted = [name for name in ROWS if not only or name in only]
    missing = encoder.reason_missing(weights) if encoder.ROW in wanted else None
    if weights and encoder.ROW in wanted and missing is None:
        Encoder(weights).load()  # now, and not after an hour of other rows
    measured = tuple(row for row in wanted if row != encoder.ROW or not missing)
    peers = _peers(settings or TrainingSettings(), weights, measured)
    return Lineup(tuple(peers), measured, {encoder.ROW: missing} if missing else {})


def _peers(settings: TrainingSettings, weights: Path | None, wanted: Sequence[str]) -> list[Peer]:
    grown = tuple(row for row in (trees.LIGHTGBM, trees.CATBOOST) if row in wanted)
    peers: list[Peer] = [Networks(settings), Networks(replace(settings, bag=False))]
    peers += [Networks(replace(settings, attention=False))]
    peers += [PooledTrees(grown, settings), CharacterNgrams()]
    peers += [Encoder(weights)] if weights else []
    return [peer for peer in peers if set(peer.rows) & set(wanted)]
