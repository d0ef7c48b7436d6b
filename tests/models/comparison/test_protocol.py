from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest

from models.comparison.peer import Cost, Fitted, Peer
from models.comparison.protocol import FLIPS_AT, Protocol, cross_validate
from models.comparison.rows import Lineup
from models.corpus.generator import generate_calls
from models.corpus.splits import origins_of
from models.domain.call import Call, Label, Segment
from models.domain.release import Thresholds
from models.errors import BadInputError
from tests.models.comparison.tiny import PEERS
from tests.models.detector.small import authored_calls

PROBE = [["검찰에서", "계좌를"], ["점심을", "먹자"], ["대출", "안내를", "드립니다"]]
CALLS = generate_calls(50, seed=0)


class _EnoughError(Exception):
    """Only the first fold is looked at."""


@dataclass(frozen=True)
class Spy:
    """A peer that lets another do the work and notes what it was shown and what came of it."""

    peer: Peer
    shown: list[list[Call]] = field(default_factory=list)
    fitted: list[Mapping[str, Fitted]] = field(default_factory=list)
    leak: Sequence[Call] = ()
    once: bool = False

    @property
    def rows(self) -> tuple[str, ...]:
        return self.peer.rows

    def fit(self, calls: Sequence[Call], seed: int, folder: Path) -> Mapping[str, Fitted]:
        if self.once and self.fitted:
            raise _EnoughError
        self.shown.append(list(calls))
        self.fitted.append(self.peer.fit([*calls, *self.leak], seed, folder))
        return self.fitted[-1]

    @classmethod
    def on_first_fold(cls, peer: Peer, calls: Sequence[Call], leak: Sequence[Call] = ()) -> Spy:
        spy = cls(peer, leak=leak, once=True)
        with pytest.raises(_EnoughError):
            _run(spy, calls)
        return spy

    def first_fold(self) -> list[object]:
        """All that the first fold's models are made of: thresholds and scores."""
        return [(model.thresholds, model.score(PROBE).tolist()) for model in self.fitted[0].values()]


@dataclass(frozen=True)
class Keyword:
    """A peer that learns nothing: a call with the word is vishing."""

    word: str = "검찰에서"
    rows: tuple[str, ...] = ("keyword",)

    def fit(self, calls: Sequence[Call], seed: int, folder: Path) -> Mapping[str, Fitted]:
        def judge(heard: Sequence[Sequence[str]]) -> np.ndarray:
            return np.array([0.9 if self.word in words else 0.1 for words in heard])

        return {"keyword": Fitted(judge, Thresholds(0.5 + 0.01 * seed, 0.95), Cost(0, 0, 0, len, ""))}


def _run(spy: Peer, calls: Sequence[Call], protocol: Protocol = Protocol(folds=2, windows=(30,))):  # type: ignore[no-untyped-def]  # noqa: B008
    return cross_validate(calls, Lineup((spy,), spy.rows), protocol)


def _rewritten(calls: Sequence[Call], tested: set[str]) -> list[Call]:
    """Return calls of the same ids and labels, where those tested say something else."""
    said = "완전히 다른 말을 하는 통화 검찰에서"
    changed = [replace(call, segments=(Segment(0, 60, f"{said} {call.id[-3:]}"),)) for call in calls]
    return [other if call.id in tested else call for call, other in zip(calls, changed, strict=True)]


@pytest.mark.parametrize("name", PEERS)
def test_what_the_tested_calls_say_changes_nothing_of_embedding_calibration_and_thresholds(name: str) -> None:
    before = Spy.on_first_fold(PEERS[name], CALLS)
    tested = {call.id for call in CALLS} - {call.id for call in before.shown[0]}
    after = Spy.on_first_fold(PEERS[name], _rewritten(CALLS, tested))

    assert [call.id for call in before.shown[0]] == [call.id for call in after.shown[0]]
    assert before.first_fold() == after.first_fold()


def test_that_check_finds_a_peer_that_is_shown_the_tested_calls() -> None:
    before = Spy.on_first_fold(PEERS["characters"], CALLS)
    tested = {call.id for call in CALLS} - {call.id for call in before.shown[0]}
    leaked = [call for call in _rewritten(CALLS, tested) if call.id in tested]
    after = Spy.on_first_fold(PEERS["characters"], CALLS, [replace(call, id=f"leak-{call.id}") for call in leaked])

    assert before.first_fold() != after.first_fold()


def test_no_origin_is_both_learned_from_and_tested() -> None:
    spy = Spy(Keyword())
    _run(spy, CALLS, Protocol(folds=3, windows=(10,)))
    origins = dict(zip([call.id for call in CALLS], origins_of(CALLS), strict=True))

    for shown in spy.shown:
        learned = {origins[call.id] for call in shown}
        assert not learned & {origins[call.id] for call in CALLS if call not in shown}


def test_words_are_removed_by_what_the_learned_calls_say_of_them() -> None:
    # Each vishing call has a word of its own, which only a fit on that very call could call strong.
    calls = [
        replace(call, text=f"{call.text} 고유어{number}가") if call.label is Label.VISHING else call
        for number, call in enumerate(authored_calls(24))
    ]
    heard: list[list[str]] = []

    @dataclass(frozen=True)
    class Listening(Keyword):
        def fit(self, calls: Sequence[Call], seed: int, folder: Path) -> Mapping[str, Fitted]:
            def judge(words: Sequence[Sequence[str]]) -> np.ndarray:
                heard.extend(list(each) for each in words)
                return np.full(len(words), 0.2)

            return {"keyword": Fitted(judge, Thresholds(0.5, 0.9), Cost(0, 0, 0, len, ""))}

    _run(Listening(), calls, Protocol(folds=2, windows=(60,)))
    without = [words for words in heard if "검찰에서" not in words and any(word.startswith("고유어") for word in words)]

    assert len(without) >= 12
    assert all("계좌를" not in words for words in without)


def test_each_call_is_judged_by_the_model_and_threshold_of_its_fold_and_seed() -> None:
    calls = authored_calls(20)
    outcome = _run(Keyword(), calls, Protocol(folds=2, seeds=(0, 3, 41), windows=(10, 30)))
    judged = outcome.judged["keyword"]
    truth = np.array([call.label is Label.VISHING for call in calls])

    for seconds in (10, 30):
        assert judged.scores[seconds].shape == (3, 20)
        assert np.array_equal(judged.scores[seconds] > 0.5, np.stack([truth] * 3))
        # Seed 41 puts the threshold at .91, above every score.
        assert np.array_equal(judged.warnings[seconds], np.stack([truth, truth, np.zeros(20, dtype=bool)]))


def test_verdicts_on_changed_calls_are_told_with_what_they_were_before() -> None:
    calls = [replace(call, text=call.text.replace("점심을", "점심을요")) for call in authored_calls(20)]
    flips = _run(Keyword("계좌"), calls, Protocol(folds=2, windows=(30,))).judged["keyword"].flips

    assert {flip.seconds for flip in flips} == set(FLIPS_AT)
    added = [flip for flip in flips if not flip.vishing]
    assert len(added) == 10 * 6 * len(FLIPS_AT)
    assert not any(flip.before for flip in added)
    assert all(flip.change in ("계좌 added", "all five added") for flip in added if flip.after)


def test_progress_tells_fold_model_and_duration_and_counts_every_fit() -> None:
    told: list[tuple[str, int, int]] = []
    peers = (Keyword(), Keyword())
    protocol = Protocol(2, (0, 7), (10,))
    cross_validate(authored_calls(12), Lineup(peers, ("keyword",)), protocol, lambda *step: told.append(step))

    assert sorted({done for _, done, _ in told}) == list(range(9))
    assert {total for _, _, total in told} == {8}
    assert [doing for doing, done, _ in told if done == 7] == [
        "seed 7, fold 2: keyword learns",
        "seed 7, fold 2: keyword judges 10 s",
        "seed 7, fold 2: keyword judges changed calls",
    ]


def test_hard_calls_that_are_not_there_are_an_error() -> None:
    with pytest.raises(BadInputError, match="no normal call is hard"):
        _run(Keyword(), authored_calls(12), Protocol(2, hard="nowhere"))
