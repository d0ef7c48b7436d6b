"""An outcome made by hand: figures that can be worked out on paper."""

from __future__ import annotations

import numpy as np

from models.comparison import characters, networks
from models.comparison.latency import Latency
from models.comparison.peer import Cost
from models.comparison.protocol import FLIPS_AT, Flip, Judged, Outcome, Protocol
from models.corpus.counterfactual import STRONGEST_REMOVED
from models.domain.call import Call, Label, Segment

PROTOCOL = Protocol(folds=2, seeds=(0, 1), windows=(30, 60))


def made_outcome() -> Outcome:
    """Six calls, two with seconds; two seeds; three rows, of which two are one model."""
    calls = [
        Call("v0", Label.VISHING, segments=(Segment(0, 9, "계좌"),), source="centre"),
        Call("n0", Label.NORMAL, segments=(Segment(0, 9, "점심"),), source="centre"),
        *(Call(f"v{n}", Label.VISHING, text="계좌", source="<b>talk</b>") for n in (1, 2)),
        *(Call(f"n{n}", Label.NORMAL, text="점심", source="<b>talk</b>") for n in (1, 2)),
    ]
    right, wrong = [1, 0, 1, 1, 0, 0], [0, 1, 1, 1, 0, 0]
    judged = {
        networks.ATTENTION: _judged([right, right], flipped=1),
        networks.ATTENTION_INT8: _judged([right, right], flipped=1),
        characters.ROW: _judged([right, wrong], flipped=2),
    }
    return Outcome(calls, [0, 1, 2, 3, 4, 5], 3, judged)


def _judged(warned: list[list[int]], flipped: int) -> Judged:
    warnings = np.array(warned, dtype=bool)
    flips = [
        Flip(seconds, vishing, change, before=vishing, after=vishing != (number < flipped))
        for seconds in FLIPS_AT
        for vishing, change in ((True, STRONGEST_REMOVED), (False, "허위 added"))
        for number in range(4)
    ]
    cost = (Cost(33_410, 1_400_000, 1_300_000, len, "formula"), 7_000_000, Latency(0.3, 0.5))
    return Judged(
        {seconds: np.where(warnings, 0.9, 0.1) for seconds in PROTOCOL.windows},
        dict.fromkeys(PROTOCOL.windows, warnings),
        flips,
        [cost],
    )
