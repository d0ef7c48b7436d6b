"""The state of a run between two rounds, saved so that a resumed run equals an uninterrupted one bit for bit."""

from __future__ import annotations

import io
import json
import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fl_server.rounds import TakenPart, TookPart
from models.domain.round import ReplyFate, RoundReport
from models.durable_file import write_durably
from models.errors import CheckpointError


@dataclass(frozen=True, slots=True)
class FederationState:
    """Everything that the next round starts from.

    Attributes:
        round_number: Rounds done.
        model: Global parameters, shape (P,), float64: rounding to float32 happens only on the wire.
        smoothed: The server's smoothed update, shape (P,).
        report: The last round's report, ``None`` before the first. It is saved with the model, in one step.
        clip_norm: Norm that the next round clips to, ``None`` where nothing is clipped.
        tree_rounds: Rounds whose sums carry noise of the tree that grows; 0 without a tree.
        took_part: Whom the server asked, and when; kept for a tree only.
    """

    round_number: int
    model: NDArray[np.float64]
    smoothed: NDArray[np.float64]
    report: RoundReport | None
    clip_norm: float | None = None
    tree_rounds: int = 0
    took_part: TookPart = field(default_factory=dict)


def save_checkpoint(folder: Path, state: FederationState, settings_digest: str) -> None:
    """Save a state after its round; earlier rounds' files stay, for choosing the best of them."""
    buffer = io.BytesIO()
    report = json.dumps(asdict(state.report)) if state.report else ""
    np.savez(
        buffer,
        model=state.model,
        smoothed=state.smoothed,
        report=np.array(report),
        clip_norm=np.array(math.nan if state.clip_norm is None else state.clip_norm),
        tree_rounds=np.array(state.tree_rounds),
        took_part=np.array(
            [(node, taken.last_round, taken.rounds) for node, taken in state.took_part.items()], dtype=np.uint64
        ).reshape(-1, 3),
        settings=np.array(settings_digest),
    )
    write_durably(_path(folder, state.round_number), buffer.getvalue())


def load_checkpoint(folder: Path, round_number: int, settings_digest: str) -> FederationState:
    """Return the state after a round.

    Raises:
        CheckpointError: The file is missing or damaged, or the run had other settings.
    """
    path = _path(folder, round_number)
    try:
        with np.load(path, allow_pickle=False) as saved:
            digest, model, smoothed = str(saved["settings"]), saved["model"], saved["smoothed"]
            report = _read_report(str(saved["report"]))
            clip_norm, tree_rounds = float(saved["clip_norm"]), int(saved["tree_rounds"])
            took_part = {int(node): TakenPart(int(last), int(rounds)) for node, last, rounds in saved["took_part"]}
    except Exception as error:  # of flipped bits zipfile and NumPy make a dozen types
        raise CheckpointError(
            f"{path}: this checkpoint can't be read; remove it to go on from the one before"
        ) from error
    if digest != settings_digest:
        raise CheckpointError(
            f"{folder} holds a run with other settings; choose another --out, or run without --resume"
        )
    clip = None if math.isnan(clip_norm) else clip_norm
    return FederationState(round_number, model, smoothed, report, clip, tree_rounds, took_part)


def last_round(folder: Path) -> int:
    """Return the number of the last saved round, 0 where there is none."""
    numbers = (path.stem.removeprefix("round-") for path in folder.glob("round-*.npz"))
    return max((int(number) for number in numbers if number.isdecimal()), default=0)


def _read_report(text: str) -> RoundReport | None:
    if not text:
        return None
    values: dict[str, Any] = json.loads(text)
    fates = {ReplyFate(fate): count for fate, count in values.pop("fates").items()}
    return RoundReport(fates=fates, **values)


def _path(folder: Path, round_number: int) -> Path:
    return folder / f"round-{round_number:04d}.npz"
