from __future__ import annotations

import numpy as np
import pytest

from models.detector.embedded_calls import IndexedCalls, index_calls
from models.detector.scoring import score_calls, score_indexed, score_windows
from models.domain.call import Call, Label, Segment
from models.text.window import WINDOWS
from tests.models.detector.small import authored_calls, small_detector


def timed(*segments: Segment) -> Call:
    return Call("timed", Label.VISHING, segments=segments)


CALLS = [
    *authored_calls(4),
    timed(Segment(12, 14, "검찰에서"), Segment(25, 28, "계좌를 먹자")),
    timed(
        Segment(0, 100, "검찰에서 계좌를 지금 당장 모두 옮기셔야 합니다"),
        Segment(5, 25, "점심을 같이 먹자 어디서 볼까"),
    ),
    timed(Segment(200, 210, "검찰에서")),
]
"""Some end early, one begins with silence, one is overlapped by what was said later, one says nothing in time."""


def test_every_window_is_judged_as_it_would_be_alone() -> None:
    trained = small_detector()
    heard = [index_calls(CALLS, seconds, trained.embedding, trained.bag) for seconds in WINDOWS]

    found = score_windows(trained.build_network(), heard)

    alone = [score_calls(trained, CALLS, seconds) for seconds in WINDOWS]
    np.testing.assert_allclose(found, alone, rtol=0, atol=1e-6)


def test_a_call_in_which_nothing_more_was_said_is_not_judged_again(monkeypatch: pytest.MonkeyPatch) -> None:
    trained, judged = small_detector(), []

    def count(network: object, calls: IndexedCalls) -> np.ndarray:
        judged.append(len(calls.lengths))
        return score_indexed(network, calls)  # type: ignore[arg-type]

    monkeypatch.setattr("models.detector.scoring.score_indexed", count)
    calls = [*authored_calls(3), CALLS[4]]  # 60 words each are said by 60 s; by 10 s none, by 20 s 1, by 30 s 3
    score_windows(trained.build_network(), [index_calls(calls, at, trained.embedding) for at in WINDOWS])

    assert judged == [4, 4, 4, 3, 0, 0]
